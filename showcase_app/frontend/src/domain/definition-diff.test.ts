import { expect, it } from "vitest";
import { changesBetween } from "./definition-diff";

const BEFORE = {
  name: "A",
  steps: [
    { id: "one", config: { limit: 25 } },
    { id: "two", module: "steps" },
    { id: "three", module: "steps" },
  ],
  flow: {
    paths: [
      { from: "one", to: "two" },
      { from: "two", to: "end" },
    ],
  },
};

it("a definition does not differ from itself", () => {
  expect(changesBetween(BEFORE, structuredClone(BEFORE))).toEqual([]);
});

it("a changed value is named by its step", () => {
  const after = structuredClone(BEFORE);
  after.steps[0] = { id: "one", config: { limit: 30 } };
  expect(changesBetween(BEFORE, after)).toEqual([
    { path: ["steps", "one", "config", "limit"], kind: "changed", before: 25, after: 30 },
  ]);
});

it("a step put before the others is one addition", () => {
  const after = { ...BEFORE, steps: [{ id: "zero" }, ...BEFORE.steps] };
  expect(changesBetween(BEFORE, after)).toEqual([{ path: ["steps", "zero"], kind: "added", after: { id: "zero" } }]);
});

it("a step that changed while another went is still the same step", () => {
  const after = { ...BEFORE, steps: [{ id: "two", module: "other" }, BEFORE.steps[2]] };
  expect(changesBetween(BEFORE, after)).toEqual(
    expect.arrayContaining([
      { path: ["steps", "one"], kind: "removed", before: BEFORE.steps[0] },
      { path: ["steps", "two", "module"], kind: "changed", before: "steps", after: "other" },
    ]),
  );
});

it("another order is a move", () => {
  const after = { ...BEFORE, steps: [BEFORE.steps[2], BEFORE.steps[0], BEFORE.steps[1]] };
  expect(changesBetween(BEFORE, after)).toEqual([{ path: ["steps", "three"], kind: "moved", after: BEFORE.steps[2] }]);
});

it("a path is named by its ends", () => {
  const after = { ...BEFORE, flow: { paths: [...BEFORE.flow.paths, { from: "one", to: "three" }] } };
  expect(changesBetween(BEFORE, after).map((change) => change.path)).toEqual([["flow", "paths", "one → three"]]);
});
