import { expect, it } from "vitest";
import { partsOf } from "./traceback";

const OURS = `  File "/srv/venv/lib/python3.11/site-packages/ia_modules/pipeline/executor.py", line 90, in run
    return await call(step)
           ^^^^^^^^^^^^^^^^`;
const LOOP = `  File "/usr/lib/python3.11/asyncio/tasks.py", line 520, in wait_for
    return await fut`;
const OWN = `  File "/home/ann/shop/steps.py", line 42, in run
    raise ValueError("customer id missing")`;
const HEAD = "Traceback (most recent call last):";
const END = "ValueError: customer id missing";

it("begins with the reader's own frames: ours, with the loop between them, are one part to be folded", () => {
  expect(partsOf([HEAD, OURS, LOOP, OURS, OWN, END].join("\n"))).toEqual([
    { kind: "shown", text: HEAD, frames: 0 },
    { kind: "ours", text: [OURS, LOOP, OURS].join("\n"), frames: 3 },
    { kind: "shown", text: [OWN, END].join("\n"), frames: 0 },
  ]);
});

it("a cause has parts of its own, and nothing is lost", () => {
  const because = "\nThe above exception was the direct cause of the following exception:\n";
  const text = [HEAD, OWN, END, because, HEAD, OURS, OWN, END, ""].join("\n");
  const parts = partsOf(text);
  expect(parts.map(({ kind }) => kind)).toEqual(["shown", "ours", "shown"]);
  expect(parts.map((part) => part.text).join("\n")).toBe(text);
});

it.each([
  ["without a frame of the reader's own", [HEAD, OURS, LOOP, END].join("\n")],
  ["that is none", "no traceback at all"],
  ["of the loop alone, in the reader's own code", [HEAD, OWN, LOOP, END].join("\n")],
])("everything of one is shown %s", (_, text) => {
  expect(partsOf(text)).toEqual([{ kind: "shown", text, frames: 0 }]);
});

it("the reader's own folder may be called as ours", () => {
  const own = OWN.replace("/home/ann/shop", "/home/ann/ia_modules/shop");
  expect(partsOf([HEAD, OURS, own, END].join("\n")).map(({ kind }) => kind)).toEqual(["shown", "ours", "shown"]);
});

it("those of a group of exceptions are told apart, too", () => {
  const text = [
    "  + Exception Group Traceback (most recent call last):",
    `  |${OURS.replaceAll("\n", "\n  |")}`,
    `  |${OWN.replaceAll("\n", "\n  |")}`,
    "  | ExceptionGroup: two (2 sub-exceptions)",
  ].join("\n");
  expect(partsOf(text).map(({ kind, frames }) => [kind, frames])).toEqual([
    ["shown", 0],
    ["ours", 1],
    ["shown", 0],
  ]);
});
