/** The words for where something stands, and what each looks like: never by colour alone. */
import type { ExecutionStatus, StepStatus } from "@/api/schema.gen";

export type Status = ExecutionStatus | StepStatus;

/** Of every execution status, its place in lists. */
const PLACE: Readonly<Record<ExecutionStatus, number>> = {
  running: 0,
  pending: 1,
  waiting: 2,
  waiting_for_human: 3,
  completed: 4,
  failed: 5,
  cancelled: 6,
};

export const EXECUTION_STATUSES: readonly ExecutionStatus[] = (Object.keys(PLACE) as ExecutionStatus[]).sort(
  (one, other) => PLACE[one] - PLACE[other],
);

const WORDS: Readonly<Record<Status, string>> = {
  pending: "Queued",
  running: "Running",
  waiting_for_human: "Waiting for a person",
  waiting: "Waiting",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  skipped: "Skipped",
  lost: "Lost",
};

/** A status in words for people. */
export function statusWord(status: Status): string {
  return WORDS[status];
}

/** A Mantine colour name for each status. */
export const STATUS_COLOR: Readonly<Record<Status, string>> = {
  pending: "gray",
  running: "blue",
  waiting_for_human: "violet",
  waiting: "violet",
  completed: "teal",
  failed: "red",
  cancelled: "gray",
  skipped: "gray",
  lost: "orange",
};

/** A CSS colour for bars, nodes and strips: readable on light and dark ground. */
export function statusFill(status: Status): string {
  return `var(--ia-status-${status.replaceAll("_", "-")})`;
}

const ENDED: Readonly<Record<Status, boolean>> = {
  pending: false,
  running: false,
  waiting: false,
  waiting_for_human: false,
  completed: true,
  failed: true,
  cancelled: true,
  skipped: true,
  lost: true,
};

export function hasEnded(status: Status): boolean {
  return ENDED[status];
}
