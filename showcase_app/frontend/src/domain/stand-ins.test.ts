import fc from "fast-check";
import { expect, it } from "vitest";
import { numberTexts } from "@/mocks/json-texts";
import { compared, decimalOf, isMultiple, isWhole } from "./decimal";
import { jsonNumber, parseJson } from "./json";
import { withStandIns } from "./stand-ins";

it("stand-ins rise as their numbers do, are whole as they are, and are multiples as they are", () => {
  const divisors = fc.array(
    numberTexts.map((text) => text.replace("-", "")).filter((text) => decimalOf(text).sign > 0),
    { maxLength: 3 },
  );
  fc.assert(
    fc.property(fc.array(numberTexts, { maxLength: 6 }), divisors, (texts, dividing) => {
      const schema = { allOf: dividing.map((text) => ({ multipleOf: jsonNumber(text) })) };
      const exchanged = withStandIns(schema, texts.map(jsonNumber)) as { schema: typeof schema; value: number[] };
      const pairs = texts.map((text, place) => ({
        exact: decimalOf(text),
        standIn: exchanged.value[place] ?? Number.NaN,
      }));
      for (const { exact, standIn } of pairs) {
        expect(Number.isInteger(standIn)).toBe(isWhole(exact));
        for (const other of pairs) {
          expect(Math.sign(standIn - other.standIn)).toBe(Math.sign(compared(exact, other.exact)));
        }
        dividing.forEach((text, place) => {
          const divisor = Number(exchanged.schema.allOf[place]?.multipleOf);
          expect(Number.isInteger(standIn / divisor)).toBe(isMultiple(exact, decimalOf(text)));
        });
      }
    }),
  );
});

it("only what is a number to compare is exchanged: a field may have the name of a keyword", () => {
  const schema = parseJson('{"minItems": 2.0, "properties": {"minimum": {"maxLength": 3}, "enum": {"minimum": 3}}}');
  const { schema: exchanged, value } = withStandIns(schema, { minimum: "3", at: undefined, list: [undefined] });
  expect(exchanged).toMatchObject({ minItems: 2, properties: { minimum: { maxLength: 3 } } });
  expect(value).toEqual({ minimum: "3", list: [null] });
});

it("too many divisors are refused", () => {
  const schema = { allOf: [2, 3, 5, 7, 11, 13].map((multipleOf) => ({ multipleOf })) };
  expect(() => withStandIns(schema, 1)).toThrow(RangeError);
});
