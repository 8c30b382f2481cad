/** What started an execution, in words. Pure. */
import type { ExecutionDetail } from "@/api/schema.gen";

const WORDS: Readonly<Record<string, string>> = {
  page: "Page",
  api: "API",
  cli: "CLI",
  rerun: "Re-run",
  program: "Program",
};

export const TRIGGERS: readonly string[] = Object.keys(WORDS);

/** A program may call it as it likes. */
export function triggerWord(trigger: string): string {
  return WORDS[trigger] ?? trigger;
}

/** The names that nobody has chosen: without keys everybody is `local`, and a program is one of its own. */
const NOBODY = ["local", "program", "cli"];

/** What started it, and whose key that was: "Page, by ann". */
export function startedByText({ trigger, started_by }: Pick<ExecutionDetail, "trigger" | "started_by">): string {
  const word = triggerWord(trigger);
  return started_by === null || NOBODY.includes(started_by) ? word : `${word}, by ${started_by}`;
}
