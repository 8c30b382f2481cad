import type { RJSFSchema } from "@rjsf/utils";
import { describe, expect, it } from "vitest";
import { jsonNumber, parseJson } from "./json";
import { errorSchemaOf, jsonSchemaValidator, pathOf, problemsOf } from "./json-schema-validator";
import { toPlain, toPlainKey, toPlainSchema } from "./plain-json";

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

describe("numbers are compared by what they are worth:", () => {
  const BIG = "9007199254740993"; // 2^53 + 1, which as a double is 9007199254740992
  it.each([
    ['{"type": "integer"}', "1.0", []],
    ['{"type": "integer"}', "1E5", []],
    ['{"type": "integer"}', BIG, []],
    ['{"type": "integer"}', "9007199254740992.5", ["Expected a whole number."]],
    ['{"type": ["integer", "null"]}', "0.5", ["Expected a whole number or null."]],
    ['{"type": "string"}', "1.0", ["Expected a text."]],
    [`{"minimum": ${BIG}}`, BIG, []],
    [`{"minimum": ${BIG}}`, "9007199254740992", [`At least ${BIG}.`]],
    ['{"maximum": 9007199254740992}', BIG, ["At most 9007199254740992."]],
    [`{"exclusiveMinimum": 9007199254740992}`, BIG, []],
    [`{"exclusiveMaximum": ${BIG}}`, BIG, [`Less than ${BIG}.`]],
    [`{"const": ${BIG}}`, BIG, []],
    [`{"const": ${BIG}}`, "9007199254740992", [`Expected ${BIG}.`]],
    ['{"enum": [1, 2.0]}', "1.0", []],
    ['{"enum": [1, 2.0]}', "2", []],
    [`{"enum": [${BIG}, "a"]}`, "9007199254740992", [`Expected one of ${BIG}, "a".`]],
    ['{"const": {"a": [1.0]}}', '{"a": [1]}', []],
    ['{"multipleOf": 3}', BIG, []],
    ['{"multipleOf": 2}', BIG, ["A multiple of 2."]],
    ['{"multipleOf": 0.01}', "1234567890123456.78", []],
    ['{"multipleOf": 0.01}', "1234567890123456.789", ["A multiple of 0.01."]],
    ['{"uniqueItems": true}', "[1, 1.0]", ["Each only once."]],
    ['{"uniqueItems": true}', `[9007199254740992, ${BIG}]`, []],
    ['{"maxItems": 2.0}', "[1, 2]", []],
    ['{"maxItems": 1.0}', "[1, 2]", ["At most 1.0 entries."]],
    [`{"anyOf": [{"type": "string"}, {"minimum": ${BIG}}]}`, BIG, []],
    [`{"not": {"maximum": 9007199254740992}}`, BIG, []],
    [`{"$ref": "#/$defs/id", "$defs": {"id": {"enum": [${BIG}]}}}`, "1", [`Expected one of ${BIG}.`]],
    ["{}", "1e400", []],
  ])("%s of %s", (schema, value, messages) => {
    const problems = problemsOf(parseJson(schema) as RJSFSchema, parseJson(value));
    expect(problems.map(({ message }) => message)).toEqual(messages);
  });

  it("in a form too, whose schemas and values are plain", () => {
    const id = { type: "integer", minimum: jsonNumber(BIG) };
    const schema = toPlainSchema({ properties: { id, ["__proto__"]: id } }) as RJSFSchema;
    const validated = (value: string) =>
      jsonSchemaValidator.validateFormData(toPlain(parseJson(value)) as Record<string, unknown>, schema);
    expect(validated(`{"id": ${BIG}, "__proto__": ${BIG}.0}`).errors).toEqual([]);
    expect(validated('{"id": 9007199254740992, "__proto__": 1}').errorSchema).toEqual({
      id: { __errors: [`At least ${BIG}.`] },
      [toPlainKey("__proto__")]: { __errors: [`At least ${BIG}.`] },
    });
    expect(
      jsonSchemaValidator.isValid(schema, toPlain(parseJson('{"id": 1}')) as Record<string, unknown>, schema),
    ).toBe(false);
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
