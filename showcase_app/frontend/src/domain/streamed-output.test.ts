import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOutputPage, createPiece } from "@/mocks/create-output";
import { NO_OUTPUT, partsOf, settledOf, toolCallOf, withPage } from "./streamed-output";

describe("pieces", () => {
  it("of pages are one after the other, and the next page is asked for from the last cursor", () => {
    const first = withPage(NO_OUTPUT, createOutputPage([createPiece({ text: "a", cursor: "1.a" })]));
    const second = withPage(first, createOutputPage([createPiece({ text: "b", cursor: "2.b" })]));
    expect([second.pieces.map(({ text }) => text), second.cursor]).toEqual([["a", "b"], "2.b"]);
    const nothing = withPage(second, createOutputPage([], { cursor: "2.b" }));
    expect(nothing.pieces).toBe(second.pieces);
  });

  it("of one attempt and channel are one part, until another comes between", () => {
    const parts = partsOf([
      createPiece({ log_id: "1", text: "It " }),
      createPiece({ log_id: "2", text: "depends." }),
      createPiece({ log_id: "3", channel: "calls", values: [{ tool: "search" }] }),
      createPiece({ log_id: "4", channel: "calls", values: [2] }),
      createPiece({ log_id: "5", text: "So:" }),
      createPiece({ log_id: "6", text: "again", step_execution_id: "second", attempt: 2 }),
      createPiece({ log_id: "7", text: "The rest is left out.", step_execution_id: "second", is_left_out: true }),
    ]);
    expect(parts.map(({ id, text, values }) => [id, text, values])).toEqual([
      ["1", "It depends.", []],
      ["3", "", [{ tool: "search" }, 2]],
      ["5", "So:", []],
      ["6", "again", []],
      ["7", "The rest is left out.", []],
    ]);
  });
});

describe("a text that grows", () => {
  it.each([
    ["", "", ""],
    ["half a par", "", "half a par"],
    ["one\n\ntw", "one\n\n", "tw"],
    ["one\n\n", "one\n\n", ""],
    ["one\n\n```\ncode\n\nmore", "one\n\n", "```\ncode\n\nmore"],
    ["```\ncode\n\n```\n\nafter", "```\ncode\n\n```\n\n", "after"],
  ])("%j is settled as far as its paragraphs are whole", (text, settled, rest) => {
    expect(settledOf(text)).toEqual({ settled, rest });
  });

  it("is whole at any time, and what is settled stays", () => {
    const texts = fc.array(fc.constantFrom("a", "\n", "\n\n", "```\n", " ", "- b"), { maxLength: 20 });
    fc.assert(
      fc.property(texts, fc.nat(20), (pieces, count) => {
        const [before, after] = [pieces.slice(0, count).join(""), pieces.join("")];
        const { settled, rest } = settledOf(after);
        expect(settled + rest).toBe(after);
        if (/(^|\n)[^\n]*$/.test(before) && before.endsWith("\n\n")) {
          expect(settled.startsWith(settledOf(before).settled)).toBe(true);
        }
      }),
    );
  });
});

it("a call of a tool is an object that names it", () => {
  expect(toolCallOf({ tool: "search", query: "kettle" })).toEqual({ tool: "search", about: { query: "kettle" } });
  for (const other of [null, "search", ["tool"], { tool: 1 }, { name: "search" }]) expect(toolCallOf(other)).toBe(null);
});
