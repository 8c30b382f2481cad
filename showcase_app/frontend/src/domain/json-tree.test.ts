import { describe, expect, it } from "vitest";
import { parseJson } from "./json";
import { allOpen, firstOpen, found, rowsOfJson } from "./json-tree";

const value = { steps: [{ name: "a", "odd key": null }], text: "one\ntwo", none: {} };

it("names rows by their paths; keys that are no plain names stand in brackets", () => {
  const odd = { "odd key": { "a-b": { "1": 0 } }, list: [{ name: "a" }] };
  expect(rowsOfJson(odd, allOpen(odd)).map((row) => row.id)).toEqual(
    expect.arrayContaining(["$", '$["odd key"]["a-b"]["1"]', "$.list[0].name"]),
  );
});

describe("rows of a tree", () => {
  const shown = (open: string[]) => rowsOfJson(value, new Set(open)).map((row) => row.id);

  it("are what is open, in order", () => {
    expect(shown([])).toEqual(["$"]);
    expect(shown(["$", "$.steps[0]"])).toEqual(["$", "$.steps", "$.text", "$.none"]); // what is above is closed
    expect(shown(["$", "$.steps", "$.steps[0]"])).toEqual([
      "$",
      "$.steps",
      "$.steps[0]",
      "$.steps[0].name",
      '$.steps[0]["odd key"]',
      "$.text",
      "$.none",
    ]);
  });

  it("show a long text as a line to open, and nothing to open where there is nothing", () => {
    const rows = rowsOfJson(value, new Set(["$", "$.text", "$.none"]));
    expect(rows.find((row) => row.isText)).toMatchObject({ value: "one\ntwo", depth: 2 });
    expect(rows.find((row) => row.id === "$.none")).toMatchObject({ opens: false, isOpen: false });
  });
});

it("what is large is not opened at first, but its root is", () => {
  const large = { items: Array.from({ length: 1000 }, (_, index) => ({ index })) };
  expect([...firstOpen(large)]).toEqual(["$"]);
  expect(firstOpen(value)).toContain("$.steps[0]");
  expect(allOpen(large, 10).size).toBe(10);
});

describe("searching", () => {
  it("finds keys and values whatever their case, with what has to be opened to see them", () => {
    expect(found(value, "ODD")).toEqual([{ id: '$.steps[0]["odd key"]', above: ["$", "$.steps", "$.steps[0]"] }]);
    expect(found(value, "null")).toHaveLength(1);
    expect(found(value, "TWO").map((match) => match.id)).toEqual(["$.text"]);
    expect(found(value, "")).toEqual([]);
  });

  it("finds numbers by their text, in rows of their own, and keys that objects inherit", () => {
    const numbers = parseJson('{"id": 9007199254740993, "__proto__": {"rate": 1.0}, "other": 1}');
    expect(found(numbers, "740993").map((match) => match.id)).toEqual(["$.id"]);
    expect(found(numbers, "1.0")).toEqual([{ id: "$.__proto__.rate", above: ["$", "$.__proto__"] }]);
    expect(found(numbers, "proto").map((match) => match.id)).toEqual(["$.__proto__"]);
    const rows = rowsOfJson(numbers, allOpen(numbers));
    expect(rows.map((row) => [row.id, row.opens])).toEqual([
      ["$", true],
      ["$.id", false],
      ["$.__proto__", true],
      ["$.__proto__.rate", false],
      ["$.other", false],
    ]);
  });

  it("stops where there is more than anybody reads", () => {
    expect(found(Array(5000).fill("x"), "x")).toHaveLength(1000);
  });
});
