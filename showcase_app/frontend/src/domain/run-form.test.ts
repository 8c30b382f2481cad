import type { RJSFSchema } from "@rjsf/utils";
import { describe, expect, it } from "vitest";
import { parseJson, stringifyJson } from "./json";
import { fromPlain, toPlainKey } from "./plain-json";
import { formSchema, formUiSchema, titleOf } from "./run-form";

const SCHEMA: RJSFSchema = {
  title: "Data quality",
  type: "object",
  properties: {
    file: { type: "string", title: "File", default: "" },
    max_repairs: { type: "integer", default: 5 },
    note: { type: "string", maxLength: 2000 },
    exclude: { type: "array", items: { type: "string" }, default: [] },
    repairs: { type: "array", items: { enum: ["sign"] }, uniqueItems: true },
    anything: {},
    options: { type: "object" },
    people: { type: "array", items: { type: "object", properties: { first_name: { type: "string", default: "A" } } } },
    address: { type: "object", properties: { post_code: { type: "string", default: "1" } } },
  },
};

it.each([
  ["max_repairs", "Max repairs"],
  ["sku", "Sku"],
  ["pricePerUnit", "Price per unit"],
])("a field without a title, %s, reads %s", (name, title) => {
  expect(titleOf(name)).toBe(title);
});

describe("the schema of a form", () => {
  it("names every field and keeps the titles that there are", () => {
    const { properties } = formSchema(SCHEMA);
    expect(properties).toMatchObject({
      file: { title: "File" },
      max_repairs: { title: "Max repairs" },
      people: { items: { properties: { first_name: { title: "First name" } } } },
      address: { properties: { post_code: { title: "Post code" } } },
    });
  });

  it("has no defaults, at any depth", () => {
    expect(JSON.stringify(formSchema(SCHEMA))).not.toContain('"default"');
  });

  it("keeps the numbers to choose from, and may be copied", () => {
    const schema = parseJson(
      '{"properties": {"id": {"enum": [9007199254740993, 1.0]}, "__proto__": {}}}',
    ) as RJSFSchema;
    const drawn = fromPlain(structuredClone(formSchema(schema))) as RJSFSchema;
    expect(stringifyJson(drawn.properties?.id)).toBe('{"title":"Id","enum":[9007199254740993,1.0]}');
    expect(Object.keys(drawn.properties ?? {})).toEqual(["id", "__proto__"]);
    expect(Object.keys(formUiSchema(schema, {}))).toContain(toPlainKey("__proto__"));
  });
});

it.each([
  ["file", { "ui:emptyValue": "" }],
  ["max_repairs", {}],
  ["exclude", { "ui:widget": "tags" }],
  ["repairs", {}],
  ["anything", { "ui:field": "json" }],
  ["options", { "ui:field": "json" }],
])("%s gets the control that fits", (name, expected) => {
  expect(formUiSchema(SCHEMA, { file: "", max_repairs: 5 })[name]).toEqual(expected);
});

it.each([
  [{ type: "boolean" }, undefined, { "ui:widget": "radio" }],
  [{ type: "boolean" }, false, {}],
  [{ "x-widget": "radio", enum: ["a", "b"] }, undefined, { "ui:widget": "radio" }],
  [{ type: "array", items: { enum: [1, 2] }, "x-widget": "checkboxes" }, undefined, { "ui:widget": "checkboxes" }],
])("what has to be chosen, %j, is shown as not chosen yet", (property, value, expected) => {
  const schema = { properties: { field: property }, required: ["field"] } as RJSFSchema;
  expect(formUiSchema(schema, { field: value }).field).toEqual(expected);
});

it.each([
  [{ type: ["string", "null"], format: "date-time" }, {}],
  [{ type: ["null", "string"], format: "date" }, {}],
  [{ type: ["string", "null"], format: "time" }, {}],
  [{ type: ["string", "null"] }, { "ui:field": "json" }],
  [{ type: ["string", "integer"], format: "date" }, { "ui:field": "json" }],
])("a date that may be left open has its picker, what may be several things is JSON: %j", (property, expected) => {
  const schema = { properties: { field: property } } as RJSFSchema;
  expect(formUiSchema(schema, {}).field).toEqual(expected);
});

it("a boolean that may be left out stays a switch", () => {
  expect(formUiSchema({ properties: { field: { type: "boolean" } } }, {}).field).toEqual({});
});

it("values with names are a choice by these names, whatever the values are", () => {
  const property = { oneOf: [{ const: 1, title: "One" }, { const: "two" }] };
  const schema = { properties: { field: property } } as RJSFSchema;
  expect(formSchema(schema).properties?.field).toEqual({ title: "Field", enum: [1, "two"] });
  expect(formUiSchema(schema, {}).field).toEqual({ "ui:enumNames": ["One", "two"] });
});

it.each<[RJSFSchema, unknown[], string[]]>([
  [{ enum: ["a", null] }, ["a", null], ["a", "None"]],
  [{ type: ["string", "null"], enum: ["a", null] }, ["a", null], ["a", "None"]],
  [{ anyOf: [{ type: "string", enum: ["a", "b"] }, { type: "null" }] }, ["a", "b", null], ["a", "b", "None"]],
  [{ anyOf: [{ type: "null" }, { const: 1 }] }, [1, null], ["1", "None"]],
  [{ oneOf: [{ oneOf: [{ const: 1, title: "One" }] }, { type: "null" }] }, [1, null], ["One", "None"]],
])("a choice that may be left open is one choice, with None in it: %j", (property, values, names) => {
  const schema = { properties: { field: property } } as RJSFSchema;
  expect(formSchema(schema).properties?.field).toMatchObject({ title: "Field", enum: values });
  expect(formSchema(schema).properties?.field).not.toHaveProperty("anyOf");
  expect(formUiSchema(schema, {}).field).toEqual({ "ui:enumNames": names });
});

it("what may be left open and is no choice stays what it was", () => {
  const property = { anyOf: [{ type: "string" }, { type: "null" }] };
  const schema = { properties: { field: property } } as RJSFSchema;
  expect(formSchema(schema).properties?.field).toEqual({ title: "Field", ...property });
});

it("a long text gets more than a line", () => {
  expect(formUiSchema(SCHEMA, { file: "", max_repairs: 5 }).note["ui:widget"]).toBe("textarea");
  const marked = { properties: { why: { type: "string", "x-widget": "textarea" } } } as RJSFSchema;
  expect(formUiSchema(marked, {}).why["ui:widget"]).toBe("textarea");
});
