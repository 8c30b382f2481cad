import { expect, it } from "vitest";
import { cursorAt, looseJson, pathAt } from "./json-cursor";

/** Where `|` is. */
function at(marked: string) {
  return cursorAt(marked.replace("|", ""), marked.indexOf("|"));
}

it.each([
  ["{|}", "key", []],
  ['{"a": {"b|": 1}}', "key", ["a"]],
  ['{"a": [1, {"b": "x|"}]}', "value", ["a", 1, "b"]],
  ['{"a": |}', "value", ["a"]],
  ['{"a": 1, "b": tr|}', "value", ["b"]],
  ['{"a": [1, |]}', "value", ["a", 1]],
  ['{"a": [|, 2]}', "value", ["a", 0]],
  ['{"a": [{"b": 1}, {"c": 2, d|', "key", ["a", 1]],
  ['{"a \\"b\\"": "|"}', "value", ['a "b"']],
] as const)("in %s a %s is written, at %j", (marked, kind, path) => {
  expect(at(marked)).toMatchObject({ kind, path });
});

it.each(["|{}", '{"a" |: 1}', '{"a": 1 |}', '{"a": 1}|', '{"a"|: 1}', "|"])("in %s nothing is", (marked) => {
  expect(at(marked)).toBeNull();
});

it("what is being written has its place, with its quotes", () => {
  expect(at('{"a": "one tw|o"}')).toEqual({
    kind: "value",
    path: ["a"],
    place: { from: 6, to: 15 },
    written: "one tw",
    isQuoted: true,
  });
  expect(at('{"a": tr|}')).toMatchObject({ place: { from: 6, to: 8 }, written: "tr", isQuoted: false });
});

it("a text is read as far as it goes", () => {
  expect(looseJson('{"a": [1, {"b": tru}, "x"], "c": , "d": {"e": "f"}')).toEqual({ a: [1, {}, "x"], d: { e: "f" } });
  expect(looseJson('{"a": 1.0}')).toEqual(looseJson('{"a": 1.0'));
  expect(looseJson("")).toBeUndefined();
});

it("a position of a text has the keys that lead to it", () => {
  const text = '{"a": [{"b": 1}, {"c": [true]}]}';
  expect(pathAt(text, text.indexOf("true"))).toEqual(["a", 1, "c", 0]);
  expect(pathAt(text, text.indexOf('"b"'))).toEqual(["a", 0, "b"]);
  expect(pathAt(text, 0)).toEqual([]);
});
