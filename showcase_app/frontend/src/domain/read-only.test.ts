import { expect, it } from "vitest";
import { IN_RUN_FILE, whyReadOnly } from "./read-only";

it("operators change everything, others are told what they are signed in as", () => {
  expect(whyReadOnly({ role: "operator", run_file: false })).toBeNull();
  expect(whyReadOnly({ role: "viewer", run_file: false })).toBe(
    "You are signed in as a viewer; this needs an operator.",
  );
  expect(whyReadOnly({ role: "approver", run_file: false })).toContain("an approver");
});

it("in a run file nobody changes anything, whoever it is", () => {
  expect(whyReadOnly({ role: "operator", run_file: true })).toBe(IN_RUN_FILE);
  expect(whyReadOnly({ role: "viewer", run_file: true })).toBe(IN_RUN_FILE);
});
