import { expect, it } from "vitest";
import { at } from "@/mocks/create-execution";
import { copyText, shortHash } from "./copies";

it("a copy says whether it went on elsewhere, and what ran here is none", () => {
  expect(copyText({ imported_at: null, went_on: null })).toBeNull();
  expect(copyText({ imported_at: at(0), went_on: false })).toBe("Came from a run file");
  expect(copyText({ imported_at: at(0), went_on: true })).toBe("Copy of a run that went on elsewhere");
});

it("a hash is shortened to its beginning", () => {
  expect(shortHash("5f2b")).toBe("5f2b");
  expect(shortHash("0123456789abcdef")).toBe("0123456789ab…");
});
