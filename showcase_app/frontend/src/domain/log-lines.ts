/** Log lines from pages and from the socket, as one list: pure. */
import type { LogLevel, LogOut } from "@/api/schema.gen";
import { folded } from "./folded";
import { isObject, stringifyJson } from "./json";

/** Of what is logged; what a step gives as it comes (`output`) is no log. */
export type Severity = Exclude<LogLevel, "output">;
export const LEVELS: readonly Severity[] = ["debug", "info", "warning", "error"];

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
  return dropped !== null && dropped > read.reduce((last, line) => Math.max(last, line.sequence), before ?? 0);
}

/**
 * Each line once, in the order of the pages: that in which they were recorded, those of an attempt that in which they were
 * logged. Lines of the socket that lie
 * beyond what was read are held back until all pages have been read: there would be a gap before them.
 */
export function mergedLines(
  read: readonly LogOut[],
  live: readonly LogOut[],
  filters: LineFilters,
  allRead: boolean,
): LogOut[] {
  const compared = filters.step_execution_id === undefined ? asRecorded : asLogged;
  const last = read.at(-1);
  const lines = new Map(read.map((line) => [line.log_id, line]));
  for (const line of live) {
    const isInReach = allRead || (last !== undefined && compared(line, last) < 0);
    if (isInReach && !lines.has(line.log_id) && isWanted(line, filters)) lines.set(line.log_id, line);
  }
  return lines.size === read.length ? [...read] : [...lines.values()].sort(compared);
}

function asRecorded(one: LogOut, other: LogOut): number {
  return one.sequence === other.sequence ? asLogged(one, other) : one.sequence - other.sequence;
}

function asLogged(one: LogOut, other: LogOut): number {
  return one.log_id < other.log_id ? -1 : one.log_id > other.log_id ? 1 : 0;
}

function isWanted(line: LogOut, { step_execution_id, level, q }: LineFilters): boolean {
  if (step_execution_id !== undefined && line.step_execution_id !== step_execution_id) return false;
  if (line.level === "output" || level === "output") {
    if (line.level !== level) return false;
  } else if (level !== undefined && LEVELS.indexOf(line.level) < LEVELS.indexOf(level)) return false;
  return q === undefined || isGap(line) || folded(line.message).includes(folded(q));
}

const GAP_LOGGER = "ia_modules.left_out";

/** Whether a line stands for others, which are left out of the record: any search finds it. */
export function isGap(line: LogOut): boolean {
  return line.logger === GAP_LOGGER;
}

/** How many lines the gaps among these stand for. */
export function leftOutOf(lines: readonly LogOut[]): number {
  return lines.filter(isGap).reduce((sum, { data }) => {
    const count = isObject(data) ? Number(data.left_out) : 0;
    return sum + (Number.isSafeInteger(count) && count > 0 ? count : 0);
  }, 0);
}

/** Where to go in the list: its end, a line of it, or the next error or gap after a place (-1: from the beginning). */
export type Goal = { to: "end" } | { to: "line"; log_id: string } | { to: "error" | "gap"; after: number };

/** The index of what a goal means, from the beginning again after the end; "unread": among lines that are not read yet. */
export function placeOf(goal: Goal, lines: readonly LogOut[], allRead: boolean): number | "unread" | null {
  const isIt = (line: LogOut) =>
    goal.to === "line" ? line.log_id === goal.log_id : goal.to === "gap" ? isGap(line) : line.level === "error";
  const after = goal.to === "error" || goal.to === "gap" ? goal.after : -1;
  const next = goal.to === "end" ? -1 : lines.findIndex((line, at) => at > after && isIt(line));
  if (next !== -1) return next;
  if (!allRead) return "unread";
  const place = goal.to === "end" ? lines.length - 1 : lines.findIndex(isIt);
  return place === -1 ? null : place;
}

/** A line as it is copied. */
export function lineText(line: LogOut, step: string | null): string {
  const data = line.data === null ? "" : ` ${stringifyJson(line.data)}`;
  const names = `${step === null ? "" : `[${step}] `}${line.logger === null ? "" : `${line.logger}: `}`;
  return `${line.logged_at} ${line.level.toUpperCase()} ${names}${line.message}${data}`;
}
