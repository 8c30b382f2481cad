import { describe, expect, it } from "vitest";
import { keysOf, placeOf, syntaxErrorOf } from "./json-place";

const TEXT = `{
  "name": "A",
  "steps": [
    {"id": "one", "type": "tsk"},
    {"id": "two", "config": {"a b": [1, 22], "say \\"hi\\"": true}}
  ]
}`;

function textAt(path: string): string {
  const { from, to } = placeOf(TEXT, path);
  return TEXT.slice(from, to);
}

it.each([
  ["$", []],
  ["$.steps[0].type", ["steps", 0, "type"]],
  ["definition.steps[12]", ["definition", "steps", 12]],
  ['$.config["a b"][0]', ["config", "a b", 0]],
  ['$["say \\"hi\\""]', ['say "hi"']],
])("%s is read as its keys", (path, keys) => {
  expect(keysOf(path)).toEqual(keys);
});

describe("the place of a path", () => {
  it.each([
    ["$.name", '"A"'],
    ["$.steps[0].type", '"tsk"'],
    ['$.steps[1].config["a b"][1]', "22"],
    ['$.steps[1].config["say \\"hi\\""]', "true"],
    ["$.steps", "["],
    ["$", "{"],
  ])("%s is its value, or the beginning of it", (path, text) => {
    expect(textAt(path)).toBe(text);
  });

  it("that is not there is the nearest that is", () => {
    expect(placeOf(TEXT, "$.steps[0].module")).toEqual(placeOf(TEXT, "$.steps[0]"));
    expect(placeOf(TEXT, "$.steps[7].id")).toEqual(placeOf(TEXT, "$.steps"));
  });

  it("in a text that is no JSON is somewhere in it", () => {
    const broken = '{"steps": [{"id": }';
    const { from, to } = placeOf(broken, "$.steps[0].id");
    expect(from).toBeGreaterThanOrEqual(0);
    expect(to).toBeLessThanOrEqual(broken.length);
    expect(placeOf("", "$.a")).toEqual({ from: 0, to: 0 });
  });
});

it("a text that is no JSON says where it stops being it", () => {
  expect(syntaxErrorOf('{"a": 1}')).toBeNull();
  expect(syntaxErrorOf('{"a": 1,, "b": 2}')?.place.from).toBe(8);
  expect(syntaxErrorOf(" ")?.detail).toBe("There is nothing here yet.");
});
