import { expect, it } from "vitest";
import type { RecentExecutionOut } from "@/api/schema.gen";
import { barHeights } from "./strip";

const START = "2026-01-01T00:00:00Z";

function took(duration_seconds: number | null, started_at: string | null = START): RecentExecutionOut {
  const completed_at = duration_seconds === null ? null : START;
  const status = duration_seconds === null ? "running" : "completed";
  return { execution_id: "e", status, created_at: START, started_at, completed_at, duration_seconds };
}

it("the longest is as high as the strip, and none disappears", () => {
  const [quick, middle, longest] = barHeights([took(0), took(25), took(100)], 0);
  expect(quick).toBeGreaterThan(0.1);
  expect(middle).toBeCloseTo(0.57);
  expect(longest).toBe(1);
});

it("one that runs grows", () => {
  const heights = (after: number) => barHeights([took(100), took(null)], Date.parse(START) + after)[1] ?? 0;
  expect(heights(50_000)).toBeGreaterThan(heights(10_000));
});

it("those that have not started are low, also alone", () => {
  expect(barHeights([took(null, null)], 0)).toEqual([0.14]);
  expect(barHeights([], 0)).toEqual([]);
});
