import { expect, it } from "vitest";
import { importedText, leftOut } from "./run-files";

it("what is not wanted is left out", () => {
  expect(leftOut({ payloads: true, logs: true, lineage: false })).toEqual([]);
  expect(leftOut({ payloads: false, logs: true, lineage: true })).toEqual(["payloads"]);
  expect(leftOut({ payloads: false, logs: false, lineage: false })).toEqual(["payloads", "logs"]);
});

it.each([
  [["a"], [], "1 execution came as a copy."],
  [["a", "b"], [], "2 executions came as copies."],
  [["a"], ["b"], "1 execution came as a copy; 1 execution was here already."],
  [["a"], ["b", "c"], "1 execution came as a copy; 2 executions were here already."],
  [[], ["a"], "Everything in it was here already: nothing has changed."],
])("of %j new and %j known it says so", (imported, already_here, expected) => {
  expect(importedText({ imported, already_here })).toBe(expected);
});
