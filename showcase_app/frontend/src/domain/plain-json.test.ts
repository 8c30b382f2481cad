import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonTexts } from "@/mocks/json-texts";
import { LosslessNumber, parseJson, stringifyJson } from "./json";
import { fromPlain, fromPlainKey, toPlain, toPlainKey, toPlainSchema } from "./plain-json";

/** As careless libraries do it: by assignment, and without classes. */
function carelessCopy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(carelessCopy);
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) copy[key] = carelessCopy(item);
  return copy;
}

describe("any JSON", () => {
  it("comes back from a careless copy", () => {
    fc.assert(
      fc.property(jsonTexts, (text) => {
        expect(stringifyJson(fromPlain(carelessCopy(toPlain(parseJson(text)))))).toBe(text);
      }),
    );
  });

  it("is the same but for numbers that JavaScript has not, and inherited keys", () => {
    const value = { a: [1, "1.0", null, { b: true }], "": { c: 0.5 } };
    expect(toPlain(value)).toEqual(value);
    expect(toPlain(parseJson('[1.0, {"__proto__": 2}]'))).toEqual([
      expect.any(String),
      { [toPlainKey("__proto__")]: 2 },
    ]);
  });
});

it.each(["__proto__", "constructor", "toString", "prototype", "_t"])("the key %s has another name meanwhile", (key) => {
  expect(toPlainKey(key)).not.toBe(key);
  expect(toPlainKey(key) in {}).toBe(false);
  for (const each of [key, toPlainKey(key)]) expect(fromPlainKey(toPlainKey(each))).toBe(each);
});

it("limits of a schema are plain numbers where they are worth the same; what it lists keeps its text", () => {
  const schema = parseJson('{"minItems":2.0,"maximum":9007199254740993,"enum":[1.0],"const":{"a":1E5}}');
  const plain = toPlainSchema(schema);
  expect(plain).toMatchObject({ minItems: 2 });
  expect(fromPlain(plain)).toEqual({
    minItems: 2,
    maximum: new LosslessNumber("9007199254740993"),
    enum: [new LosslessNumber("1.0")],
    const: { a: new LosslessNumber("1E5") },
  });
});
