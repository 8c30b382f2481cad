/** Metrics as people read them, and as the charts draw them. */
import type { BucketOut, MetricOut, Window } from "@/api/schema.gen";
import { durationText } from "./time";

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

/** A bucket's start on the axis: as much of it as tells it from its neighbours. */
export function bucketText(start: string, bucketSeconds: number): string {
  const at = new Date(start);
  if (bucketSeconds >= 86_400) return at.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  const time = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  if (bucketSeconds < 3600) return time;
  return bucketSeconds < 2 * 3600 ? time : `${at.toLocaleDateString(undefined, { weekday: "short" })} ${time}`;
}

/** The moment at which a bucket begins, to the minute. */
export function momentText(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
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
