/** The words for where something stands, and what each looks like: never by colour alone. */
import type { ExecutionStatus, StepStatus } from "@/api/schema.gen";

export type Status = ExecutionStatus | StepStatus;

export const EXECUTION_STATUSES: readonly ExecutionStatus[] = [
  "running",
  "pending",
  "waiting_for_human",
  "completed",
  "failed",
  "cancelled",
];

const WORDS: Readonly<Record<Status, string>> = {
  pending: "Queued",
  running: "Running",
  waiting_for_human: "Waiting for a person",
  waiting: "Waiting for a person",
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

export function hasEnded(status: Status): boolean {
  return !["pending", "running", "waiting", "waiting_for_human"].includes(status);
}
