/** An action on many executions, in parts: which ones each part has, and what came of all together. Pure. */
import type { BulkOut } from "@/api/schema.gen";

/** As many as go in one request: it is answered soon, and then its number is on the screen. */
export const PART = 100;

/** Those that are named, or the token of a dry run that names them. */
export type Chosen = { execution_ids: readonly string[] } | { token: string; count: number };
type Part = { execution_ids: string[] } | { token: string; skip?: number; limit?: number };

/** The parts, in their order, each with how many it has; all that fits in one goes in one. */
export function partsOf(chosen: Chosen): { which: Part; count: number }[] {
  const total = "token" in chosen ? chosen.count : chosen.execution_ids.length;
  if ("token" in chosen && total <= PART) return [{ which: { token: chosen.token }, count: total }];
  const starts = Array.from({ length: Math.ceil(total / PART) }, (_, place) => place * PART);
  return starts.map((start) => ({
    which:
      "token" in chosen
        ? { token: chosen.token, skip: start, limit: PART }
        : { execution_ids: chosen.execution_ids.slice(start, start + PART) },
    count: Math.min(PART, total - start),
  }));
}

/** What came of several parts, as of one request. */
export function together(parts: readonly BulkOut[]): BulkOut {
  return {
    matched: sum(parts.map((part) => part.matched)),
    matched_capped: parts.some((part) => part.matched_capped),
    done: sum(parts.map((part) => part.done)),
    refused: parts.flatMap((part) => part.refused),
    left_out: parts.flatMap((part) => part.left_out),
    token: null,
    steps: [],
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
