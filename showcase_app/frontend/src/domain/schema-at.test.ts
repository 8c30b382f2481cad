import { expect, it } from "vitest";
import { createFormat } from "@/mocks/create-format";
import type { Json, JsonObject } from "./json";
import { keysOfSchemas, objectSkeleton, schemasAt, skeletonOf, typeOfValue, valuesOfSchemas } from "./schema-at";

const FORMAT = createFormat();
const names = (document: Json, path: (string | number)[]) =>
  keysOfSchemas(schemasAt(FORMAT, document, path, { from: "from_step" })).map(({ name }) => name);

it("references, alternatives and other spellings lead to the keys of a place", () => {
  expect(names({}, [])).toEqual(["name", "steps", "flow", "slug", "parameters", "searchable"]);
  expect(names({}, ["steps", 0, "error_handling", "retry"])).toEqual(["max_attempts"]);
  expect(names({ flow: { paths: [{ from: "a" }] } }, ["flow", "paths", 0])).toEqual([
    "from_step",
    "to_step",
    "condition",
  ]);
  expect(names({}, ["nothing", "here"])).toEqual([]);
});

it("the type of a value decides which alternative it is, once it is there", () => {
  const path = ["flow", "paths", 0, "condition"];
  expect(names({}, path)).toEqual(expect.arrayContaining(["operator", "parameter", "function_name"]));
  const written = { flow: { paths: [{ condition: { type: "parameter" } }] } };
  expect(names(written, path)).toEqual(["type", "parameter"]);
});

it("values that are listed are JSON", () => {
  const schemas: JsonObject[] = [{ enum: ["a", 1] }, { const: "else" }, { type: "boolean" }, { enum: ["a"] }];
  expect(valuesOfSchemas(schemas)).toEqual(['"a"', "1", '"else"', "true", "false"]);
});

it("a circle of references ends", () => {
  const circle: JsonObject = { $defs: { A: { $ref: "#/$defs/A" } }, $ref: "#/$defs/A" };
  expect(schemasAt(circle, {}, ["a"], {})).toEqual([]);
});

it("what is empty has the form of its type", () => {
  expect(skeletonOf(FORMAT, { type: "array" })).toEqual({ before: "[", after: "]" });
  expect(skeletonOf(FORMAT, { $ref: "#/$defs/Retry" })).toEqual({ before: "{", after: "}" });
  expect(skeletonOf(FORMAT, { anyOf: [{ type: "null" }, { type: "string" }] })).toEqual({ before: '"', after: '"' });
  expect(skeletonOf(FORMAT, { type: "number" })).toEqual({ before: "", after: "" });
  expect(skeletonOf(FORMAT, true)).toEqual({ before: "", after: "" });
  expect(typeOfValue(FORMAT, { anyOf: [{ type: "number" }, { type: "null" }] })).toBe("number");
  expect(typeOfValue(FORMAT, { anyOf: [{ type: "number" }, { type: "string" }] })).toBeNull();
});

it("an object begins with all that it must have, and the first of it to be filled in", () => {
  const [expression] = schemasAt(FORMAT, {}, ["flow", "paths", 0, "condition"], {}).slice(1);
  expect(objectSkeleton(FORMAT, expression ?? {})).toEqual({
    before: '{"type": "expression", "source": "',
    after: '", "operator": "", "value": null}',
    keys: ["type", "source", "operator", "value"],
  });
});
