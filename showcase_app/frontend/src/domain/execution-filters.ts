/** What a list of executions is narrowed to: as the address of the page has it, and as a request has it. */
import type { ExecutionStatus } from "@/api/schema.gen";
import { EXECUTION_STATUSES } from "./status";

/** Windows that end now, with their length in seconds. */
export const TIME_WINDOWS = {
  "1h": { label: "Last hour", seconds: 3600 },
  "24h": { label: "Last 24 hours", seconds: 86_400 },
  "7d": { label: "Last 7 days", seconds: 7 * 86_400 },
  "30d": { label: "Last 30 days", seconds: 30 * 86_400 },
} as const;

const MINUTE_MS = 60_000;

export type TimeWindow = keyof typeof TIME_WINDOWS;

/** As the parameters of a request. */
export type ExecutionFilters = {
  status?: ExecutionStatus;
  pipeline_id?: string;
  failure_group?: string;
  failed_after?: string;
  started_after?: string;
  started_before?: string;
  q?: string;
};

/** As the words of the address. A window that ends now and moments of one's own exclude each other. */
export type ShownFilters = Omit<ExecutionFilters, "failure_group"> & {
  window?: TimeWindow;
  /** The id of a group of failures. */
  failure?: string;
};

/** What the list is narrowed to: as the address has it, its group of failures by what requests name it with. */
export type ListedFilters = ExecutionFilters & { window?: TimeWindow; failure?: never };

/** The filters of an address; words that it may not have are left out. */
export function shownFilters(address: URLSearchParams): ShownFilters {
  const word = (name: string) => address.get(name)?.trim() || undefined;
  const window = word("window");
  return {
    status: EXECUTION_STATUSES.find((status) => status === word("status")),
    pipeline_id: word("pipeline_id"),
    q: word("q"),
    failure: word("failure"),
    failed_after: word("failure") === undefined ? undefined : moment(word("failed_after")),
    ...(isTimeWindow(window)
      ? { window }
      : { started_after: moment(word("started_after")), started_before: moment(word("started_before")) }),
  };
}

/** The address after a change; undefined takes a word out. */
export function withFilters(address: URLSearchParams, change: Partial<ShownFilters>): URLSearchParams {
  const next = new URLSearchParams(address);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** The parameters of a request made at a moment: a window becomes the minute at which it begins. */
export function filterParams({ window, ...filters }: ListedFilters, nowMs: number): ExecutionFilters {
  return window === undefined ? filters : { ...filters, started_after: windowStart(window, nowMs) };
}

/** The minute at which a window begins that ends at a moment. */
export function windowStart(window: TimeWindow, nowMs: number): string {
  const begins = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - TIME_WINDOWS[window].seconds * 1000;
  return new Date(begins).toISOString();
}

export function isTimeWindow(word: string | null | undefined): word is TimeWindow {
  return word !== undefined && word !== null && Object.hasOwn(TIME_WINDOWS, word);
}

/** A moment as an ISO text; undefined where the address has none, or something else. */
function moment(text: string | undefined): string | undefined {
  return text === undefined || Number.isNaN(Date.parse(text)) ? undefined : text;
}

/** An ISO text as the field of a form wants it: local time to the minute, without a zone. */
export function localMinutes(iso: string): string {
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** How many there are, in words that do not claim more than was counted. */
export function countText(count: number, capped = false): string {
  return `${count.toLocaleString("en")}${capped ? "+" : ""}`;
}
