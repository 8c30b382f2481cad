/** Metrics as people read them, and as the charts draw them. */
import type { BucketOut, MetricOut, Window } from "@/api/schema.gen";
import { clockText, dateText, durationText } from "./time";

export const METRIC_WINDOWS: readonly { value: Window; label: string; words: string }[] = [
  { value: "1h", label: "1 h", words: "the last hour" },
  { value: "6h", label: "6 h", words: "the last 6 hours" },
  { value: "24h", label: "24 h", words: "the last 24 hours" },
  { value: "7d", label: "7 d", words: "the last 7 days" },
  { value: "30d", label: "30 d", words: "the last 30 days" },
  { value: "all", label: "All", words: "all time" },
];

/** The window that an address names; a day where it names none. */
export function windowOf(word: string | null): Window {
  return METRIC_WINDOWS.find(({ value }) => value === word)?.value ?? "24h";
}

export function windowWords(window: Window): string {
  return METRIC_WINDOWS.find(({ value }) => value === window)?.words ?? window;
}

/** 95 %, 99.5 %; never rounded up to a whole that it is not. */
export function percentText(fraction: number): string {
  const percent = Math.floor(fraction * 1000 + 1e-9) / 10; // 0.57 * 1000 is a little less than 570
  return `${Number.isInteger(percent) ? percent : percent.toFixed(1)} %`;
}

export function amountText(value: number, unit: MetricOut["unit"]): string {
  return unit === "fraction" ? percentText(value) : value.toFixed(2);
}

export function targetText({ target, comparison, unit }: Pick<MetricOut, "target" | "comparison" | "unit">): string {
  const amount = unit === "fraction" ? percentText(target) : `${target} per execution`;
  return `${comparison === "at_least" ? "at least" : "at most"} ${amount}`;
}

export function secondsText(seconds: number | null): string {
  return seconds === null ? "–" : durationText(seconds);
}

/** A bucket's start on the axis: the date, where the axis goes beyond a day, and the clock, where that is not midnight. */
export function bucketText(
  start: string,
  { buckets }: { buckets: readonly { start: string }[] },
  zone: string,
): string {
  const date = dateText(start, zone);
  const isOneDay = [buckets[0], buckets.at(-1)].every((end) => end === undefined || dateText(end.start, zone) === date);
  const clock = clockText(start, zone, "minute");
  if (isOneDay) return clock;
  return clock === "00:00" ? date : `${date} ${clock}`;
}

export type ChartRow = {
  /** Where it stands on the axis; unlike the label, never the same for two. */
  start: string;
  completed: number;
  failed: number;
  cancelled: number;
  /** Started here and not ended yet. */
  open: number;
  success_rate: number | null;
  p50_seconds: number | null;
  p95_seconds: number | null;
};

export function chartRows(buckets: readonly BucketOut[]): ChartRow[] {
  return buckets.map(({ start, started, completed, failed, cancelled, success_rate, p50_seconds, p95_seconds }) => ({
    start,
    completed,
    failed,
    cancelled,
    open: Math.max(0, started - completed - failed - cancelled),
    success_rate,
    p50_seconds,
    p95_seconds,
  }));
}

/** The address of the list with what started in a bucket. */
export function bucketAddress(bucket: Pick<BucketOut, "start" | "end">, pipelineId: string | undefined): string {
  const address = new URLSearchParams({ started_after: bucket.start, started_before: bucket.end });
  if (pipelineId !== undefined) address.set("pipeline_id", pipelineId);
  return `/executions?${address}`;
}
