import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonTexts, numberTexts, objectTexts } from "@/mocks/json-texts";
import { changesBetween } from "./definition-diff";
import { jsonNumber, parseJson, stringifyJson } from "./json";

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

it("items without a name are the same where they say the same", () => {
  const conditions = [{ field: "amount", operator: ">=", value: 100 }, [{}]];
  const [before, after] = [1, 2].map((timeout) => ({
    steps: [{ id: "one", timeout, conditions: structuredClone(conditions) }],
  }));
  expect(changesBetween(before, after).map(({ path }) => path)).toEqual([["steps", "one", "timeout"]]);
});

it("numbers differ when their texts do", () => {
  const numbers = (text: string) => ({ config: parseJson(text) });
  const before = numbers('{"one": 1, "id": 9007199254740993, "same": 1.0, "list": [1.0, 2]}');
  const after = numbers('{"one": 1.0, "id": 9007199254740992, "same": 1.0, "list": [1.0, 2E0]}');
  expect(changesBetween(before, after)).toEqual([
    { path: ["config", "one"], kind: "changed", before: 1, after: jsonNumber("1.0") },
    { path: ["config", "id"], kind: "changed", before: jsonNumber("9007199254740993"), after: 9007199254740992 },
    { path: ["config", "list", "[1]"], kind: "added", after: jsonNumber("2E0") },
    { path: ["config", "list", "[1]"], kind: "removed", before: 2 },
  ]);
});

it("keys that objects inherit are keys like others", () => {
  const before = parseJson('{"config": {"_t": 1}}');
  const after = parseJson('{"config": {"_t": 2, "__proto__": {"a": 1}, "constructor": 3}}');
  expect(changesBetween(before, after)).toEqual([
    { path: ["config", "_t"], kind: "changed", before: 1, after: 2 },
    { path: ["config", "__proto__"], kind: "added", after: { a: 1 } },
    { path: ["config", "constructor"], kind: "added", after: 3 },
  ]);
});

it("nothing differs from what was read from the same text, and any number from another", () => {
  fc.assert(
    fc.property(objectTexts, numberTexts, numberTexts, jsonTexts, (text, one, other, value) => {
      expect(changesBetween(parseJson(text), parseJson(text))).toEqual([]);
      const [before, after] = [one, other].map((number) => parseJson(`{"n": ${number}, "same": ${value}}`));
      const changes = changesBetween(before, after).map((change) =>
        [change.before, change.after].map((each) => stringifyJson(each)),
      );
      expect(changes).toEqual(one === other ? [] : [[one, other]]);
    }),
  );
});
