/** What steps give as it comes, made whole from its pieces: in the order in which it was written. Pure. */
import type { OutputPageOut, OutputPieceOut } from "@/api/schema.gen";
import { isObject } from "./json";

/** What was read so far, and from where to read on; null: from the beginning. */
export type Output = { pieces: readonly OutputPieceOut[]; cursor: string | null };

export const NO_OUTPUT: Output = { pieces: [], cursor: null };

export function withPage({ pieces }: Output, { items, cursor }: OutputPageOut): Output {
  return { pieces: items.length === 0 ? pieces : [...pieces, ...items], cursor };
}

/** What one attempt gave in one channel without another between: text, or else values. `id` is that of its first piece. */
export type OutputPart = {
  id: string;
  stepExecutionId: string | null;
  stepId: string | null;
  iteration: number | null;
  attempt: number | null;
  within: string;
  channel: string | null;
  at: string;
  text: string;
  values: readonly unknown[];
  isLeftOut: boolean;
};

export function partsOf(pieces: readonly OutputPieceOut[]): OutputPart[] {
  const parts: { part: OutputPart; texts: string[]; values: unknown[] }[] = [];
  for (const piece of pieces) {
    const last = parts.at(-1);
    if (last !== undefined && goesOn(last.part, piece)) {
      last.texts.push(piece.text);
      last.values.push(...piece.values);
    } else parts.push({ part: partOf(piece), texts: [piece.text], values: [...piece.values] });
  }
  return parts.map(({ part, texts, values }) => ({ ...part, text: texts.join(""), values }));
}

function partOf(piece: OutputPieceOut): OutputPart {
  return {
    id: piece.log_id,
    stepExecutionId: piece.step_execution_id,
    stepId: piece.step_id,
    iteration: piece.iteration,
    attempt: piece.attempt,
    within: piece.within,
    channel: piece.channel,
    at: piece.emitted_at,
    text: piece.text,
    values: piece.values,
    isLeftOut: piece.is_left_out,
  };
}

function goesOn(part: OutputPart, piece: OutputPieceOut): boolean {
  return (
    !part.isLeftOut &&
    !piece.is_left_out &&
    part.stepExecutionId === piece.step_execution_id &&
    part.channel === piece.channel &&
    part.values.length > 0 === piece.values.length > 0
  );
}

/** The channel of what is the answer itself; others have their name above them. */
export const ANSWER = "answer";

const FENCE = /^ {0,3}(```|~~~)/;

/**
 * A text that grows, as what does not change any more (whole paragraphs, which are drawn) and the rest, which is shown
 * as it is written: half of a list or of a block of code would be drawn as something else with each piece.
 */
export function settledOf(text: string): { settled: string; rest: string } {
  let end = 0;
  let isInCode = false;
  let at = 0;
  for (const line of text.split("\n")) {
    const next = at + line.length + 1;
    if (FENCE.test(line)) isInCode = !isInCode;
    if (!isInCode && line.trim() === "" && next <= text.length) end = next;
    at = next;
  }
  return { settled: text.slice(0, end), rest: text.slice(end) };
}

/** A call of a tool, as programs that run models write it: its name, and all else that is said of it. */
export type ToolCall = { tool: string; about: Record<string, unknown> };

export function toolCallOf(value: unknown): ToolCall | null {
  if (!isObject(value) || typeof value.tool !== "string") return null;
  const { tool, ...about } = value;
  return { tool, about };
}
