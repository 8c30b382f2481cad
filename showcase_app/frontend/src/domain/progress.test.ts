import { expect, it } from "vitest";
import { progressOf } from "./progress";

it.each([
  [[0, 0, 0], { text: "0", words: null }],
  [[0, 3, 0], { text: "3", words: "3 steps done" }],
  [[5, 0, 0], { text: "0/5", words: "0 of 5 steps done" }],
  [[5, 3, 1], { text: "3/5", words: "3 of 5 steps done, 1 failed", total: 5 }],
  [[3, 7, 0], { text: "7/7", words: "7 of 7 steps done", total: 7 }],
] as const)("%j of announced, done and failed", ([total_steps, completed_steps, failed_steps], expected) => {
  expect(progressOf({ total_steps, completed_steps, failed_steps })).toMatchObject(expected);
});
