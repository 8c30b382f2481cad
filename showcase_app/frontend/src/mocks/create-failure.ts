/** Groups of failures as the server sends them, for tests: usual values, but for the fields that a test names. */
import type { BulkOut, FailureOut, FailurePageOut } from "@/api/schema.gen";
import { at } from "./create-execution";

const DAY_MS = 86_400_000;

export function createFailure(row: Partial<FailureOut> = {}): FailureOut {
  const failure_group = row.failure_group ?? "0f3a9c2b7d4e1856";
  return {
    id: `nightly.${failure_group}`,
    pipeline_id: "pipeline",
    slug: "nightly",
    pipeline_name: "Nightly",
    failure_group,
    step_id: "load",
    error_type: "KeyError",
    message: "no order <n> in <path>",
    state: "open",
    mended_in_version: null,
    marked_by: null,
    marked_at: null,
    reopened_at: null,
    first_at: at(-3 * DAY_MS),
    first_version: 3,
    last_at: at(0),
    count: 37,
    versions: [3, 4],
    trend: [
      { start: at(-2 * DAY_MS), failures: 12 },
      { start: at(-DAY_MS), failures: 0 },
      { start: at(0), failures: 25 },
    ],
    execution_id: "0199-newest",
    ...row,
  };
}

export function createFailurePage(items: FailureOut[], row: Partial<FailurePageOut> = {}): FailurePageOut {
  return { since: at(-2 * DAY_MS), until: at(1000), part_seconds: 86_400, items, more: false, ...row };
}

/** What came of changing many executions, or would come of it. */
export function createBulk(row: Partial<BulkOut> = {}): BulkOut {
  return { matched: 0, matched_capped: false, done: 0, refused: [], left_out: [], token: null, steps: [], ...row };
}
