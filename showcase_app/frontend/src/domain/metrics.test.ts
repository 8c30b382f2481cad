import { expect, it } from "vitest";
import type { BucketOut } from "@/api/schema.gen";
import {
  amountText,
  bucketAddress,
  bucketText,
  chartRows,
  percentText,
  secondsText,
  targetText,
  windowOf,
} from "./metrics";

it.each([
  [1, "100 %"],
  [0.9996, "99.9 %"],
  [0.95, "95 %"],
  [0.29, "29 %"],
  [0.57, "57 %"],
  [0.003, "0.3 %"],
  [0, "0 %"],
])("%d reads %s: less than everything is never everything", (fraction, text) => {
  expect(percentText(fraction)).toBe(text);
});

it("targets say which side is good", () => {
  expect(targetText({ target: 0.95, comparison: "at_least", unit: "fraction" })).toBe("at least 95 %");
  expect(targetText({ target: 2, comparison: "at_most", unit: "per_execution" })).toBe("at most 2 per execution");
  expect(amountText(0.5, "per_execution")).toBe("0.50");
});

it("what is not known is a dash, not zero", () => {
  expect([secondsText(null), secondsText(0)]).toEqual(["–", "0 ms"]);
});

it("an address that names no window means a day", () => {
  expect([windowOf(null), windowOf("9y"), windowOf("7d")]).toEqual(["24h", "24h", "7d"]);
});

it("a bucket's parts add up to what started, and lead to its executions", () => {
  const bucket: BucketOut = {
    start: "2026-11-25T10:00:00.000000Z",
    end: "2026-11-25T11:00:00.000000Z",
    started: 10,
    completed: 6,
    failed: 2,
    cancelled: 1,
    success_rate: 0.75,
    p50_seconds: null,
    p95_seconds: null,
    retries: 0,
    human_interventions: 0,
  };
  expect(chartRows([bucket])[0]).toMatchObject({ completed: 6, failed: 2, cancelled: 1, open: 1, p50_seconds: null });
  expect(bucketAddress(bucket, "p1")).toBe(
    "/executions?started_after=2026-11-25T10%3A00%3A00.000000Z&started_before=2026-11-25T11%3A00%3A00.000000Z&pipeline_id=p1",
  );
});

it("an axis within a day has clocks, one beyond a day dates too, and the same hour twice is told apart", () => {
  const of = (starts: string[], zone: string) => {
    const buckets = starts.map((start) => ({ start }) as BucketOut);
    return starts.map((start) => bucketText(start, { buckets }, zone));
  };
  expect(of(["2026-11-25T10:00:00Z", "2026-11-25T10:05:00Z"], "UTC")).toEqual(["10:00", "10:05"]);
  const beyond = ["2026-10-24T22:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T23:00:00Z"];
  expect(of(beyond, "Europe/Berlin")).toEqual([
    "2026-10-25",
    "2026-10-25 02:00 +02:00",
    "2026-10-25 02:00 +01:00",
    "2026-10-26",
  ]);
});
