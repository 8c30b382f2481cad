import type { RJSFSchema } from "@rjsf/utils";
import { describe, expect, it } from "vitest";
import { errorSchemaOf, jsonSchemaValidator, pathOf, problemsOf } from "./json-schema-validator";

const SCHEMA: RJSFSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  required: ["sku"],
  $defs: { kind: { enum: ["spacing", "sign"] } },
  properties: {
    sku: { type: "string", pattern: "^[a-z]+$", minLength: 1 },
    quantity: { type: "integer", minimum: 1, maximum: 100 },
    repairs: { type: "array", items: { $ref: "#/$defs/kind" }, uniqueItems: true },
    address: { type: "object", properties: { "post/code": { type: "string" } }, required: ["city"] },
  },
};

/** Field and message of each problem. */
function placesAndWords(value: unknown): [string | undefined, string | undefined][] {
  return problemsOf(SCHEMA, value).map(({ property, message }) => [property, message]);
}

describe("problems", () => {
  it("are none for a value that fits", () => {
    expect(problemsOf(SCHEMA, { sku: "kettle", quantity: 2, repairs: ["sign"] })).toEqual([]);
  });

  it.each([
    [{}, [[".sku", "This field is required."]]],
    [{ sku: "K9" }, [[".sku", "Does not match ^[a-z]+$"]]],
    [{ sku: "k", quantity: 0 }, [[".quantity", "At least 1."]]],
    [{ sku: "k", quantity: 101 }, [[".quantity", "At most 100."]]],
    [{ sku: "k", quantity: "two" }, [[".quantity", "Expected a whole number."]]],
    [{ sku: "k", repairs: ["sign", "sign"] }, [[".repairs", "Each only once."]]],
    [{ sku: "k", address: {} }, [[".address.city", "This field is required."]]],
    [{ sku: "k", address: { city: "Ulm", "post/code": 3 } }, [[".address.post/code", "Expected a text."]]],
    [{ sku: "k", colour: "red" }, [[".colour", "There is no such field."]]],
  ])("of %j stand at their field", (value, problems) => {
    expect(placesAndWords(value)).toEqual(problems);
  });

  it("inside a list stand at the item", () => {
    expect(placesAndWords({ sku: "k", repairs: ["sign", "paint"] }).map(([field]) => field)).toEqual([".repairs.1"]);
  });

  it("are all told at once", () => {
    expect(placesAndWords({ sku: "K", quantity: 0 }).map(([field]) => field)).toEqual([".sku", ".quantity"]);
  });

  it("do not come from fields that have no value", () => {
    expect(placesAndWords({ sku: "kettle", quantity: undefined })).toEqual([]);
  });

  it("are left to the server when the schema cannot be read here", () => {
    expect(problemsOf({ type: "string", pattern: "(?P<name>x)" }, "y")).toEqual([]);
  });
});

it("validation leaves the schema as it was", () => {
  const before = JSON.stringify(SCHEMA);
  jsonSchemaValidator.validateFormData({ sku: "kettle" }, SCHEMA);
  expect(JSON.stringify(SCHEMA)).toBe(before);
  expect(Object.keys(SCHEMA)).not.toContain("__absolute_uri__");
});

it("a part of a schema finds the definitions of the whole", () => {
  const part: RJSFSchema = { properties: { kind: { $ref: "#/$defs/kind" } } };
  expect(jsonSchemaValidator.isValid(part, { kind: "sign" }, SCHEMA)).toBe(true);
  expect(jsonSchemaValidator.isValid(part, { kind: "paint" }, SCHEMA)).toBe(false);
});

it("errors become a tree over the fields", () => {
  const tree = errorSchemaOf(problemsOf(SCHEMA, { sku: "k", repairs: ["paint"], address: {} }));
  expect(tree).toMatchObject({
    repairs: { 0: { __errors: [expect.any(String)] } },
    address: { city: { __errors: ["This field is required."] } },
  });
});

it("what a form checks itself is told as well", () => {
  const { errors } = jsonSchemaValidator.validateFormData({ sku: "K" }, SCHEMA, (_values, handler) => {
    handler.addError("Not on Sundays.");
    return handler;
  });
  expect(errors.map((error) => error.message)).toEqual(["Does not match ^[a-z]+$", "Not on Sundays."]);
});

it.each([
  ["repairs[0].kind", ["repairs", 0, "kind"]],
  [".repairs.0", ["repairs", 0]],
  ["", []],
])("%j is the path %j", (field, path) => {
  expect(pathOf(field)).toEqual(path);
});
