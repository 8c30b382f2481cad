/** Executions that came from a run file, in words. Pure. */
import type { ExecutionOut } from "@/api/schema.gen";

/** What a copy is; null: it is none. */
export function copyText({ imported_at, went_on }: Pick<ExecutionOut, "imported_at" | "went_on">): string | null {
  if (imported_at === null) return null;
  return went_on ? "Copy of a run that went on elsewhere" : "Came from a run file";
}

const SHOWN_DIGITS = 12;

/** The beginning of a hash, long enough to tell two apart by eye. */
export function shortHash(hash: string): string {
  return hash.length <= SHOWN_DIGITS ? hash : `${hash.slice(0, SHOWN_DIGITS)}…`;
}
