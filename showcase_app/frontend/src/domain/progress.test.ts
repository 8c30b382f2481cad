import { expect, it } from "vitest";
import { progressOf } from "./progress";

it.each([
  ["running", [0, 0, 0], { text: "0", words: null }],
  ["running", [0, 3, 0], { text: "3", words: "3 steps done", total: 0 }],
  ["pending", [5, 0, 0], { text: "0/5", words: "0 of 5 steps done" }],
  ["running", [5, 3, 1], { text: "3/5", words: "3 of 5 steps done, 1 failed", total: 5 }],
  ["running", [3, 7, 0], { text: "7/7", words: "7 of 7 steps done", total: 7 }],
  ["completed", [9, 8, 0], { text: "8", words: "8 steps ran", total: 8 }],
  ["completed", [10, 8, 1], { text: "9", words: "9 steps ran, 1 failed", done: 8, failed: 1, total: 9 }],
  ["failed", [10, 0, 1], { text: "1", words: "1 step ran, 1 failed", total: 1 }],
  ["cancelled", [10, 0, 0], { text: "0", words: null }],
] as const)(
  "%s with %j announced, done and failed",
  (status, [total_steps, completed_steps, failed_steps], expected) => {
    expect(progressOf({ status, total_steps, completed_steps, failed_steps })).toMatchObject(expected);
  },
);
