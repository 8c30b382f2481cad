/** Log lines from pages and from the socket, as one list: pure. */
import type { LogLevel, LogOut } from "@/api/schema.gen";
import { folded } from "./folded";
import { stringifyJson } from "./json";

export const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];

export type LineFilters = { step_execution_id?: string; level?: LogLevel; q?: string };

/** What the socket brought, at most `MOST_HEARD` lines; `dropped`: the sequence of the last line that was let go. */
export type HeardLines = { lines: readonly LogOut[]; dropped: number | null };

export const NO_LINES: HeardLines = { lines: [], dropped: null };
const MOST_HEARD = 5_000;

/** With lines that have just come; the oldest are let go where there are too many. */
export function withHeard({ lines, dropped }: HeardLines, come: readonly LogOut[]): HeardLines {
  const all = [...lines, ...come];
  const over = all.length - MOST_HEARD;
  if (over <= 0) return { lines: all, dropped };
  return { lines: all.slice(over), dropped: all[over - 1]?.sequence ?? dropped };
}

/**
 * Whether lines are missing between what was read, to its end, and what is kept of what the socket brought. `before` is
 * what had been let go when the reading began.
 */
export function hasGap(read: readonly LogOut[], dropped: number | null, before: number | null): boolean {
  return dropped !== null && dropped > Math.max(before ?? 0, read.at(-1)?.sequence ?? 0);
}

/**
 * Each line once, in the order in which they were recorded, which is that of the pages. Lines of the socket that lie
 * beyond what was read are held back until all pages have been read: there would be a gap before them.
 */
export function mergedLines(
  read: readonly LogOut[],
  live: readonly LogOut[],
  filters: LineFilters,
  allRead: boolean,
): LogOut[] {
  const last = read.at(-1);
  const lines = new Map(read.map((line) => [line.log_id, line]));
  for (const line of live) {
    const isInReach = allRead || (last !== undefined && compared(line, last) < 0);
    if (isInReach && !lines.has(line.log_id) && isWanted(line, filters)) lines.set(line.log_id, line);
  }
  return lines.size === read.length ? [...read] : [...lines.values()].sort(compared);
}

function compared(one: LogOut, other: LogOut): number {
  if (one.sequence !== other.sequence) return one.sequence - other.sequence;
  return one.log_id < other.log_id ? -1 : one.log_id > other.log_id ? 1 : 0;
}

function isWanted(line: LogOut, { step_execution_id, level, q }: LineFilters): boolean {
  if (step_execution_id !== undefined && line.step_execution_id !== step_execution_id) return false;
  if (level !== undefined && LEVELS.indexOf(line.level) < LEVELS.indexOf(level)) return false;
  return q === undefined || folded(line.message).includes(folded(q));
}

/** A line as it is copied. */
export function lineText(line: LogOut, step: string | null): string {
  const data = line.data === null ? "" : ` ${stringifyJson(line.data)}`;
  return `${line.logged_at} ${line.level.toUpperCase()} ${step === null ? "" : `[${step}] `}${line.message}${data}`;
}
