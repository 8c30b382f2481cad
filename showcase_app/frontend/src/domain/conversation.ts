/** An execution as a conversation: what it asked people, what they answered, and what its steps gave. Pure. */
import type { InteractionDetail, InteractionOut, StepOut } from "@/api/schema.gen";
import { isObject } from "./json";
import type { OutputPart } from "./streamed-output";

export type Turn =
  | { kind: "output"; id: string; at: string; stepId: string | null; part: OutputPart; isGrowing: boolean }
  | { kind: "question"; id: string; at: string; stepId: string; prompt: string }
  | { kind: "answer"; id: string; at: string; who: string; response: unknown };

/**
 * Turns by their time. `isOpen` says of an attempt whether it goes on: the last part of each such attempt is growing.
 * An answer has its text where `details` has its question; what was answered and is not read yet is left out.
 */
export function turnsOf(
  parts: readonly OutputPart[],
  questions: readonly InteractionOut[],
  details: ReadonlyMap<string, InteractionDetail>,
  isOpen: (part: OutputPart) => boolean,
): Turn[] {
  const last = new Map(parts.map((part) => [part.stepExecutionId, part.id]));
  const outputs = parts.map((part): Turn => {
    const isGrowing = last.get(part.stepExecutionId) === part.id && isOpen(part);
    return { kind: "output", id: part.id, at: part.at, stepId: part.stepId, part, isGrowing };
  });
  const prompts = questions.flatMap((question): Turn[] => {
    const { interaction_id: id, step_id, created_at, prompt } = question;
    return [{ kind: "question", id: `question ${id}`, at: created_at, stepId: step_id, prompt: prompt ?? "" }];
  });
  const answers = questions.flatMap(({ interaction_id: id }): Turn[] =>
    (details.get(id)?.responses ?? []).map(({ actor, revision, response, answered_at }) => ({
      kind: "answer",
      id: `answer ${id} ${actor} ${revision}`,
      at: answered_at,
      who: actor,
      response,
    })),
  );
  return [...prompts, ...answers, ...outputs].sort((one, other) =>
    one.at < other.at ? -1 : one.at > other.at ? 1 : 0,
  );
}

/** An answer that is one text, or has one field that is a text, is that text; null: it is something else. */
export function textOfAnswer(response: unknown): string | null {
  if (typeof response === "string") return response;
  if (!isObject(response)) return null;
  const [first, ...others] = Object.values(response);
  return others.length === 0 && typeof first === "string" ? first : null;
}

/** The attempts that go on, by their ids. */
export function openAttempts(steps: readonly StepOut[]): ReadonlySet<string> {
  return new Set(steps.filter((step) => step.status === "running").map((step) => step.step_execution_id));
}
