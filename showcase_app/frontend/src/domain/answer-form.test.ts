import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonTexts } from "@/mocks/json-texts";
import { answerForm, defaultAnswer, refusedInside } from "./answer-form";
import { parseJson, stringifyJson } from "./json";

describe("what an answer begins with", () => {
  it.each([
    ["{}", undefined],
    ["true", undefined],
    ['{"type":"boolean"}', undefined],
    ['{"type":"object"}', "{}"],
    ['{"properties":{"why":{"type":"string"}}}', "{}"],
    ['{"default":9007199254740993}', "9007199254740993"],
    ['{"properties":{"id":{"default":9007199254740993},"why":{}}}', '{"id":9007199254740993}'],
    ['{"properties":{"a":{"properties":{"b":{"default":null}}},"c":{"type":"object"}}}', '{"a":{"b":null}}'],
    ['{"default":{"a":1},"properties":{"a":{"default":2}}}', '{"a":1}'],
  ])("by %s it is %s", (schema, expected) => {
    const found = defaultAnswer(parseJson(schema));
    expect(found === undefined ? undefined : stringifyJson(found)).toBe(expected);
  });

  it("is any default, to the last digit", () => {
    fc.assert(
      fc.property(jsonTexts, (text) => {
        const schema = parseJson(`{"type":"object","properties":{"value":{"default":${text}}}}`);
        expect(stringifyJson(defaultAnswer(schema))).toBe(`{"value":${text}}`);
      }),
    );
  });
});

describe("the form of an answer", () => {
  it("has a control for each field", () => {
    const { schema, ui } = answerForm({
      title: "Review",
      type: "object",
      properties: { approved: { type: "boolean" } },
      required: ["approved"],
    });
    expect(schema).toEqual({
      type: "object",
      properties: { approved: { type: "boolean", title: "Approved" } },
      required: ["approved"],
    });
    expect(ui.approved).toEqual({ "ui:widget": "radio" });
  });

  it.each([
    [{ type: "boolean" }, { "ui:widget": "radio" }],
    [{ type: "object" }, { "ui:field": "json" }],
    [{}, { "ui:field": "json" }],
    [true, { "ui:field": "json" }],
    [{ enum: ["yes", "no"] }, {}],
    [{ type: "integer", title: "How many?" }, {}],
  ])("for %j is one control", (ui_schema, expected) => {
    const { schema, ui } = answerForm(ui_schema);
    expect(ui).toEqual({ ...expected, "ui:submitButtonOptions": { norender: true } });
    expect(schema.title).toBe((ui_schema as { title?: string }).title ?? "Answer");
  });
});

it("what was refused of a part is found by the path inside of it", () => {
  const fields = { "response.why": "a", response: "b", "response[0].id": "c", responded_by: "d", "responses.x": "e" };
  expect(refusedInside(fields, "response")).toEqual({ why: "a", "": "b", "[0].id": "c" });
  expect(refusedInside(fields, "responded_by")).toEqual({ "": "d" });
});
