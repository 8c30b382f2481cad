import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonTexts, numberTexts } from "@/mocks/json-texts";
import { isNumberText, isObject, jsonNumber, keptWhereSame, LosslessNumber, parseJson, stringifyJson } from "./json";

describe("what is read", () => {
  it("is written as it was, whatever it is", () => {
    fc.assert(
      fc.property(jsonTexts, (text) => {
        expect(stringifyJson(parseJson(text))).toBe(text);
      }),
    );
  });

  it("does not depend on white space, and may be written with some", () => {
    fc.assert(
      fc.property(jsonTexts, (text) => {
        const spaced = stringifyJson(parseJson(text), 2);
        expect(stringifyJson(parseJson(`\n ${spaced}\t`))).toBe(text);
      }),
    );
  });

  it("is a number where JavaScript writes the same number, and its text otherwise", () => {
    expect(parseJson("[25, 0.5, -3]")).toEqual([25, 0.5, -3]);
    expect(parseJson("[1.0, -0, 1E5, 9007199254740993]")).toEqual(
      ["1.0", "-0", "1E5", "9007199254740993"].map((text) => new LosslessNumber(text)),
    );
  });

  it("has its keys, also those that objects inherit, and changes no other object", () => {
    for (const text of ['{"__proto__":{"polluted":1.0}}', '{"\\u005f_proto__":{"polluted":1.0}}']) {
      const value = parseJson(text);
      expect(isObject(value) && Object.hasOwn(value, "__proto__")).toBe(true);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.keys(value as object)).toEqual(["__proto__"]);
    }
    expect("polluted" in {}).toBe(false);
  });

  it("of two keys of one name is the last", () => {
    expect(stringifyJson(parseJson('{"a": 1.0, "a": 2.0}'))).toBe('{"a":2.0}');
  });

  it.each(["", "{", "[1.]", "01", "{'a': 1}", "NaN", '"\n"', "[.5]", "1 2"])("is JSON: %s is none", (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});

it("is written as JSON.stringify writes it, where that loses nothing", () => {
  const value = { a: [1, "x\u2028\n", null, true, {}, []], b: { c: { d: [[]] } }, toJSON: 1, isLosslessNumber: true };
  for (const indent of [0, 2]) expect(stringifyJson(value, indent)).toBe(JSON.stringify(value, null, indent));
  expect(stringifyJson({ a: undefined, b: [undefined] })).toBe('{"b":[null]}');
});

it("a number is known by its text", () => {
  fc.assert(fc.property(numberTexts, (text) => isNumberText(text) && String(jsonNumber(text)) === text));
  for (const text of ["", "1.", ".5", "01", "+1", "1e", "0x1", "Infinity", " 1"])
    expect(isNumberText(text)).toBe(false);
});

describe("what is read again", () => {
  const text = '{"a":{"id":9007199254740993,"__proto__":[1.0]},"b":[{"c":1},{"d":2.0}],"e":null}';

  it("is what was known, where nothing changed", () => {
    fc.assert(
      fc.property(jsonTexts, (any) => {
        const known = parseJson(any);
        expect(keptWhereSame(known, parseJson(any))).toBe(known);
      }),
    );
  });

  it("shares with what was known what has not changed", () => {
    const known = parseJson(text) as { a: unknown; b: unknown[] };
    const kept = keptWhereSame(known, parseJson(text.replace("2.0", "2"))) as typeof known;
    expect(stringifyJson(kept)).toBe(text.replace("2.0", "2"));
    expect([kept.a === known.a, kept.b[0] === known.b[0], kept.b[1] === known.b[1]]).toEqual([true, true, false]);
  });

  it("is what came, whatever was known", () => {
    fc.assert(
      fc.property(jsonTexts, jsonTexts, (before, after) => {
        expect(stringifyJson(keptWhereSame(parseJson(before), parseJson(after)))).toBe(after);
      }),
    );
  });
});
