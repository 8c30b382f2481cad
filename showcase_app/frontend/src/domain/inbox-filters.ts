/** What the inbox is narrowed to: as the address of the page has it, and as a request has it. Pure. */
import type { InteractionOut } from "@/api/schema.gen";

export type QuestionStatus = InteractionOut["status"];

export const QUESTION_STATUSES: readonly QuestionStatus[] = ["pending", "answered", "expired", "cancelled"];

const ALL = "all";

/** As the parameters of a request. */
export type InboxFilters = {
  status?: QuestionStatus;
  assigned_to?: string;
  pipeline_id?: string;
  execution_id?: string;
};

/** The filters of an address. Without a status it is those that wait; words that it may not have are left out. */
export function inboxFilters(address: URLSearchParams): InboxFilters {
  const word = (name: string) => address.get(name)?.trim() || undefined;
  const status = word("status");
  return {
    status: status === ALL ? undefined : (QUESTION_STATUSES.find((each) => each === status) ?? "pending"),
    assigned_to: word("assigned_to"),
    pipeline_id: word("pipeline_id"),
    execution_id: word("execution_id"),
  };
}

/** The address after a change; a filter that is undefined in it is taken out. */
export function withInboxFilters(address: URLSearchParams, change: InboxFilters): URLSearchParams {
  const next = new URLSearchParams(address);
  const words = "status" in change ? { ...change, status: statusInAddress(change.status) } : change;
  for (const [name, value] of Object.entries(words)) {
    if (value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** Whether it is narrowed further than to those that wait. */
export function isNarrowed({ status, ...words }: InboxFilters): boolean {
  return status !== "pending" || Object.values(words).some((word) => word !== undefined);
}

function statusInAddress(status: QuestionStatus | undefined): string | undefined {
  return status === "pending" ? undefined : (status ?? ALL);
}
