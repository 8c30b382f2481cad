import { expect, it } from "vitest";
import { at, createInteraction } from "@/mocks/create-execution";
import { createInteractionDetail, createResponse } from "@/mocks/create-interaction";
import { createPiece } from "@/mocks/create-output";
import { textOfAnswer, turnsOf } from "./conversation";
import { partsOf } from "./streamed-output";

const question = createInteraction({
  interaction_id: "q",
  step_id: "ask",
  prompt: "Your turn?",
  created_at: at(10),
  answered_by: 1,
});
const parts = partsOf([
  createPiece({ log_id: "1", text: "Hello.", step_execution_id: "first", emitted_at: at(0) }),
  createPiece({ log_id: "2", text: "Well, ", step_execution_id: "second", emitted_at: at(30) }),
]);

it("what is asked, answered and given stands in the order of its times; the last of what goes on is growing", () => {
  const responses = [createResponse({ actor: "ann", response: { text: "And now?" }, answered_at: at(20) })];
  const details = new Map([["q", createInteractionDetail({ interaction_id: "q", responses })]]);
  const turns = turnsOf(parts, [question], details, (part) => part.stepExecutionId === "second");
  expect(turns.map((turn) => (turn.kind === "output" ? [turn.part.text, turn.isGrowing] : [turn.kind]))).toEqual([
    ["Hello.", false],
    ["question"],
    ["answer"],
    ["Well, ", true],
  ]);
});

it("an answer that is not read yet is left out", () => {
  expect(turnsOf([], [question], new Map(), () => false).map(({ kind }) => kind)).toEqual(["question"]);
});

it("an answer of one text is that text, anything else is not", () => {
  expect([textOfAnswer("yes"), textOfAnswer({ message: "yes" })]).toEqual(["yes", "yes"]);
  for (const other of [null, 1, { a: "b", c: "d" }, { approved: true }, []]) expect(textOfAnswer(other)).toBe(null);
});
