import { expect, it } from "vitest";
import { createModules } from "@/mocks/create-format";
import { parametersOf, placeOfStep, stepAt, stepsOf } from "./definition-facts";
import type { Json } from "./json";

it("fields of results are those that the definition, the code and the answer have", () => {
  const steps: Json = [
    { id: "a", module: "ia_modules.steps", class: "read_table", outputs: [{ name: "extra" }, {}] },
    { id: "b", outputs: { named: "x" }, output_schema: { properties: { at: { properties: { x: {} } } } } },
    { id: "c", type: "human_input", config: { ui_schema: { fields: [{ name: "ok" }] } } },
    { id: 4 },
    { name: "no id" },
    "no step",
  ];
  expect(stepsOf({ steps }, createModules()).map(({ id, fields }) => [id, fields])).toEqual([
    ["a", ["extra", "columns", "rows"]],
    ["b", ["at", "at.x", "named"]],
    ["c", ["human_input", "human_input.ok"]],
  ]);
  expect(stepsOf({ steps: {} }, [])).toEqual([]);
  expect(stepsOf(undefined, [])).toEqual([]);
});

it("parameters are listed, or named with their defaults", () => {
  expect(parametersOf({ parameters: [{ name: "a", schema: { title: "Amount" } }, {}] })).toEqual([
    { name: "a", description: "Amount" },
  ]);
  expect(parametersOf({ parameters: { a: 1 } })).toEqual([{ name: "a", description: null }]);
});

it("a position leads to its step, and a step to its place", () => {
  const text = '{"name": "A", "steps": [{"id": "one"}, {"id": "two", "config": {"deep": 1}}]}';
  expect(stepAt(text, text.indexOf("deep"))).toBe("two");
  expect(stepAt(text, text.indexOf("name"))).toBeNull();
  expect(placeOfStep(text, "two")?.from).toBe(text.indexOf('{"id": "two"'));
  expect(placeOfStep(text, "three")).toBeNull();
  expect(placeOfStep("{", "one")).toBeNull();
});
