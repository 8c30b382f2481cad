import { expect, it } from "vitest";
import { createExecution } from "@/mocks/create-execution";
import { cancelTexts, whyNotCancelled } from "./cancelling";

const HERE = { runnable: true, is_active: true };
const textOf = (...changes: Parameters<typeof createExecution>) =>
  cancelTexts(createExecution(...changes), HERE).join(" ");

it("what runs is stopped by its worker, as far as code can be stopped", () => {
  const text = textOf({ status: "running", managed: true, completed_steps: 1 });
  expect(text).toContain("Its worker is told");
  expect(text).toContain("goes on by itself");
  expect(text).toContain("is not undone");
  expect(text).toContain("It can be resumed later");
});

it("what nobody runs is cancelled at once, and nothing is said of steps that have not been", () => {
  const queued = textOf({ status: "pending", started_at: null, completed_steps: 0, failed_steps: 0 });
  expect(queued).toContain("it has not begun");
  expect(queued).not.toContain("undone");
  expect(queued).not.toContain("worker");
  expect(textOf({ status: "waiting", started_at: "2026-01-01T00:00:00Z" })).toContain("no other step begins");
  expect(textOf({ status: "waiting_for_human" })).toContain("take no answer any more");
});

it("a program that records itself is only asked, and nothing here goes on with it", () => {
  const text = textOf({ status: "running", managed: false, pipeline_version: null });
  expect(text).toContain("a program that never does goes on");
  expect(text).toContain("It cannot be resumed later. A program recorded it");
});

it("what has ended, or is being cancelled, is not cancelled again", () => {
  expect(whyNotCancelled(createExecution({ status: "completed" }))).toBe("It has ended already: completed.");
  expect(whyNotCancelled(createExecution({ status: "running", cancel_requested: true }))).toContain("being cancelled");
  expect(whyNotCancelled(createExecution({ status: "running" }))).toBeNull();
});
