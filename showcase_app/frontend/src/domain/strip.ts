/** How high the bars of a strip of executions are. Pure. */
import type { RecentExecutionOut } from "@/api/schema.gen";
import { secondsBetween } from "./time";

const LOWEST = 0.14; // so that the quickest can still be seen and clicked

/** Of 1, by the square root of the duration, so that one slow execution does not flatten all others. */
export function barHeights(recent: readonly RecentExecutionOut[], nowMs: number): number[] {
  const seconds = recent.map(
    ({ duration_seconds, started_at, completed_at }) =>
      duration_seconds ?? (started_at === null ? 0 : secondsBetween(started_at, completed_at, nowMs)),
  );
  const longest = Math.max(...seconds, 0);
  return seconds.map((each) => (longest === 0 ? LOWEST : LOWEST + (1 - LOWEST) * Math.sqrt(each / longest)));
}
