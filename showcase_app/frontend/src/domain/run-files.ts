/** Run files in words: what one would have, and what came of taking one in. Pure. */
import type { ImportedRunOut } from "@/api/schema.gen";

export type RunFilePart = "payloads" | "logs";
/** What a run file is to have. */
export type RunFileChoice = { payloads: boolean; logs: boolean; lineage: boolean };

/** What is left out, as requests say it. */
export function leftOut({ payloads, logs }: RunFileChoice): RunFilePart[] {
  return [...(payloads ? [] : (["payloads"] as const)), ...(logs ? [] : (["logs"] as const))];
}

/** The largest file that the server takes in. */
export const MOST_FILE_BYTES = 24 * 2 ** 20;

/** What came of it, in a sentence. */
export function importedText({ imported, already_here }: Pick<ImportedRunOut, "imported" | "already_here">): string {
  if (imported.length === 0) return "Everything in it was here already: nothing has changed.";
  const came = `${countOf(imported.length)} came as ${imported.length === 1 ? "a copy" : "copies"}`;
  if (already_here.length === 0) return `${came}.`;
  return `${came}; ${countOf(already_here.length)} ${already_here.length === 1 ? "was" : "were"} here already.`;
}

function countOf(count: number): string {
  return count === 1 ? "1 execution" : `${count.toLocaleString("en")} executions`;
}
