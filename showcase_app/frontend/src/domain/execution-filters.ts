/** What a list of executions is narrowed to: as the address of the page has it, and as a request has it. */
import type { ExecutionStatus } from "@/api/schema.gen";
import { EXECUTION_STATUSES } from "./status";
import { durationText } from "./time";
import { triggerWord } from "./triggers";

/** Windows that end now, with their length in seconds. */
export const TIME_WINDOWS = {
  "1h": { label: "Last hour", seconds: 3600 },
  "24h": { label: "Last 24 hours", seconds: 86_400 },
  "7d": { label: "Last 7 days", seconds: 7 * 86_400 },
  "30d": { label: "Last 30 days", seconds: 30 * 86_400 },
} as const;

const MINUTE_MS = 60_000;

/** In so many of the newest the server looks for what has no index, where nobody wants more; and at most. */
export const LOOK_BACK = 10_000;
const MOST_LOOK_BACK = 1_000_000;
export const MOST_SECONDS = 10 * 365 * 86_400;

const OTHER_FILTERS = ["version", "trigger", "worker", "min_seconds", "max_seconds"] as const;
export type OtherFilter = (typeof OTHER_FILTERS)[number];

export type TimeWindow = keyof typeof TIME_WINDOWS;

/** As the parameters of a request. */
export type ExecutionFilters = {
  /** Any of these; undefined: any at all, never an empty list. */
  status?: ExecutionStatus[];
  pipeline_id?: string;
  failure_group?: string;
  failed_after?: string;
  started_after?: string;
  started_before?: string;
  q?: string;
  /** Values of what a pipeline's file calls searchable: a key, `=` and the value. */
  attribute?: string[];
  version?: number;
  trigger?: string;
  worker?: string;
  min_seconds?: number;
  max_seconds?: number;
  /** In how many of the newest the server looks for what has no index. */
  look_back?: number;
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
  const number = (name: string, least: number, most: number) => {
    const value = Number(word(name) ?? Number.NaN);
    return value >= least && value <= most ? value : undefined;
  };
  const whole = (name: string, least: number, most: number) => {
    const value = number(name, least, most);
    return Number.isInteger(value) ? value : undefined;
  };
  const window = word("window");
  const attributes = address.getAll("attribute").filter(isAttribute).slice(0, MOST_ATTRIBUTES);
  const statuses = EXECUTION_STATUSES.filter((status) => address.getAll("status").includes(status));
  return {
    status: statuses.length === 0 ? undefined : statuses,
    pipeline_id: word("pipeline_id"),
    q: word("q"),
    attribute: attributes.length === 0 ? undefined : attributes,
    version: whole("version", 1, 2 ** 31 - 1),
    trigger: word("trigger"),
    worker: word("worker"),
    min_seconds: number("min_seconds", 0, MOST_SECONDS),
    max_seconds: number("max_seconds", 0, MOST_SECONDS),
    look_back: whole("look_back", 1, MOST_LOOK_BACK),
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
    next.delete(name);
    for (const each of [value].flat()) if (each !== undefined && each !== "") next.append(name, String(each));
  }
  return next;
}

/** The order of a list: the newest first, or the dearest, without those of which no cost is known. */
export type ListSort = "newest" | "cost";

export function sortOf(address: URLSearchParams): ListSort {
  return address.get("sort") === "cost" ? "cost" : "newest";
}

/** The address of the same list in another order. */
export function withSort(address: URLSearchParams, sort: ListSort): URLSearchParams {
  const next = new URLSearchParams(address);
  next.delete("sort");
  if (sort === "cost") next.set("sort", sort);
  return next;
}

/** How much further back the server looks when one more step is wanted; null: it looks as far back as it does. */
export function furtherBack(lookBack: number = LOOK_BACK): number | null {
  return lookBack >= MOST_LOOK_BACK ? null : Math.min(lookBack * 10, MOST_LOOK_BACK);
}

export const MOST_ATTRIBUTES = 5;
const MOST_ATTRIBUTE = 600;

export function isAttribute(text: string): boolean {
  return text.indexOf("=") > 0 && !text.endsWith("=") && text.length <= MOST_ATTRIBUTE;
}

/** The filters that have no place of their own on the page, in words, each with the change that leaves it out. */
export function otherFilters(shown: ExecutionFilters): { text: string; without: ExecutionFilters }[] {
  const attributes = shown.attribute ?? [];
  const { version, trigger, worker, min_seconds, max_seconds } = shown;
  const words: Record<OtherFilter, string | undefined> = {
    version: version === undefined ? undefined : `v${version}`,
    trigger: trigger === undefined ? undefined : `Started by: ${triggerWord(trigger)}`,
    worker: worker === undefined ? undefined : `Worker: ${worker}`,
    min_seconds: min_seconds === undefined ? undefined : `${durationText(min_seconds)} or longer`,
    max_seconds: max_seconds === undefined ? undefined : `${durationText(max_seconds)} or shorter`,
  };
  return [
    ...attributes.map((text) => ({ text, without: { attribute: attributes.filter((each) => each !== text) } })),
    ...OTHER_FILTERS.flatMap((name) =>
      words[name] === undefined ? [] : [{ text: words[name], without: { [name]: undefined } }],
    ),
  ];
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

/** How many there are, in words that do not claim more than was counted. */
export function countText(count: number, capped = false): string {
  return `${count.toLocaleString("en")}${capped ? "+" : ""}`;
}
