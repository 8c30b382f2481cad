/** Groups of failures as people read them, as the address narrows them, and as their trend is drawn. Pure. */
import type { FailureOut, TrendOut } from "@/api/schema.gen";
import { isTimeWindow, type TimeWindow } from "./execution-filters";
import { momentText } from "./time";

export type FailureState = FailureOut["state"];

/** What people say of a group; `version` of one that is mended. */
export type FailureMark = { state: "open" } | { state: "muted" } | { state: "mended"; version: number };

const STATE_WORDS: Readonly<Record<FailureState, string>> = { open: "Open", muted: "Muted", mended: "Mended" };

export const FAILURE_STATES: readonly { value: FailureState; label: string }[] = (
  Object.keys(STATE_WORDS) as FailureState[]
).map((value) => ({ value, label: STATE_WORDS[value] }));

/** What the list is narrowed to; `state` undefined: all. */
export type FailureFilters = { window: TimeWindow; pipeline_id?: string; state?: FailureState };

/** The filters of an address; words that it may not have are left out. Seven days where it names no window. */
export function failureFilters(address: URLSearchParams): FailureFilters {
  const state = address.get("state");
  return {
    window: failureWindow(address),
    pipeline_id: address.get("pipeline_id")?.trim() || undefined,
    state: FAILURE_STATES.find(({ value }) => value === state)?.value,
  };
}

export function failureWindow(address: URLSearchParams): TimeWindow {
  const window = address.get("window");
  return isTimeWindow(window) ? window : "7d";
}

/** Its state in words: "Mended by v4", "Open again". */
export function stateText({ state, mended_in_version, reopened_at }: Standing): string {
  if (state === "mended") return `Mended by v${mended_in_version}`;
  return state === "open" && reopened_at !== null ? "Open again" : STATE_WORDS[state];
}

/** What a group is, in one line: "KeyError: no order <n>". */
export function failureText({ error_type, message }: Pick<FailureOut, "error_type" | "message">): string {
  return [error_type, message].filter((part) => part !== "").join(": ") || "Without a reason";
}

/** "v3, v4"; what ran without a version comes first. */
export function versionsText(versions: readonly (number | null)[]): string {
  return versions.map((version) => (version === null ? "no version" : `v${version}`)).join(", ");
}

export function failureAddress(id: string, window?: TimeWindow): string {
  const search = window === undefined || window === "7d" ? "" : `?${new URLSearchParams({ window })}`;
  return `/failures/${encodeURIComponent(id)}${search}`;
}

/** The list of the executions that failed so since a moment: those that were counted. */
export function failedAddress(id: string, since: string): string {
  return `/executions?${new URLSearchParams({ failure: id, failed_after: since })}`;
}

/** From when on a group was counted: its trend begins there. Undefined where it has none. */
export function countedSince({ trend }: Pick<FailureOut, "trend">): string | undefined {
  return trend[0]?.start;
}

/** What of a row people say, and what came of it; all else is counted. */
export type Standing = Pick<FailureOut, "state" | "mended_in_version" | "marked_by" | "marked_at" | "reopened_at">;

export function standingOf({ state, mended_in_version, marked_by, marked_at, reopened_at }: Standing): Standing {
  return { state, mended_in_version, marked_by, marked_at, reopened_at };
}

/** How a group stands once a mark is set, as far as it is known before the server has answered. */
export function standingAfter(mark: FailureMark): Standing {
  const mended_in_version = mark.state === "mended" ? mark.version : null;
  return { state: mark.state, mended_in_version, marked_by: null, marked_at: null, reopened_at: null };
}

export type TrendBar = { start: string; failures: number; x: number; width: number; height: number };

const BAR_GAP = 0.25; // of what one bar has
const LOWEST_BAR = 0.12; // so that one failure among thousands is seen

/** The bars of a trend in a box of 1 by 1, from its bottom up; a part without failures has none. */
export function trendBars(trend: readonly TrendOut[]): TrendBar[] {
  const most = Math.max(...trend.map(({ failures }) => failures), 1);
  const room = 1 / Math.max(trend.length, 1);
  return trend
    .map(({ start, failures }, place) => ({
      start,
      failures,
      x: place * room,
      width: room * (1 - BAR_GAP),
      height: LOWEST_BAR + (1 - LOWEST_BAR) * (failures / most),
    }))
    .filter(({ failures }) => failures > 0);
}

/** A trend in one sentence, for those who do not see it. */
export function trendSentence(trend: readonly TrendOut[], zone: string): string {
  const most = trend.reduce<TrendOut | null>((top, part) => (part.failures > (top?.failures ?? 0) ? part : top), null);
  if (most === null) return "No failures in this time";
  return `Most failures, ${most.failures.toLocaleString("en")}, from ${momentText(most.start, zone, "minute")} on`;
}

/** "1 execution", "1,200 executions". */
export function executionsText(count: number): string {
  return count === 1 ? "1 execution" : `${count.toLocaleString("en")} executions`;
}
