/** Executions: questions, commands, and the rows that the socket brings. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { applyRead } from "@/domain/changes";
import { filterParams, type ListedFilters, type ListSort } from "@/domain/execution-filters";
import { parseJson } from "@/domain/json";
import type { LineFilters } from "@/domain/log-lines";
import { answered, api } from "./client";
import { ROOT } from "./root";
import type { ExecutionDetail, ExecutionStatus, operations, RerunRequest, StepDetail } from "./schema.gen";

export const executionKeys = {
  all: ["executions"] as const,
  lists: () => ["executions", "list"] as const,
  list: (filters: ListedFilters, sort: ListSort = "newest") => ["executions", "list", filters, sort] as const,
  counts: (filters: ListedFilters) => ["executions", "counts", filters] as const,
  newest: (filters: ListedFilters, limit: number, newest: string | null) =>
    ["executions", "newest", filters, limit, newest] as const,
  detail: (id: string) => ["executions", "detail", id] as const,
  step: (id: string, stepExecutionId: string, sequence: number) =>
    ["executions", "step", id, stepExecutionId, sequence] as const,
  stepInput: (id: string, stepExecutionId: string) => ["executions", "step-input", id, stepExecutionId] as const,
  plan: (id: string, what: string) => ["executions", "plan", id, what] as const,
  lastGood: (id: string) => ["executions", "last-good", id] as const,
  usage: (id: string, sequence: number) => ["executions", "usage", id, sequence] as const,
  payloads: (id: string, status: ExecutionStatus) => ["executions", "payloads", id, status] as const,
  linesOf: (id: string) => ["executions", "logs", id] as const,
  logs: (id: string, filters: LineFilters) => ["executions", "logs", id, filters] as const,
};

const PAGE = 50;
const LONGEST_PAGE = 500;

/** Some executions, newest first, below the cursor (null: from the top). */
export function readExecutions(
  filters: ListedFilters,
  cursor: string | null,
  { limit = PAGE, sort = "newest", signal }: { limit?: number; sort?: ListSort; signal?: AbortSignal } = {},
) {
  const query = {
    ...filterParams(filters, Date.now()),
    limit: Math.min(limit, LONGEST_PAGE),
    cursor: cursor ?? undefined,
    sort: sort === "newest" ? undefined : sort,
  };
  return answered(api.GET("/api/executions", { params: { query }, signal }));
}

export function executionsQuery(filters: ListedFilters, sort: ListSort = "newest") {
  return infiniteQueryOptions({
    queryKey: executionKeys.list(filters, sort),
    queryFn: ({ signal, pageParam }) => readExecutions(filters, pageParam, { sort, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

/** The newest executions of a list; read again where `newest`, the id of the first of them, is another. */
export function newestExecutionsQuery(filters: ListedFilters, limit: number, newest: string | null) {
  return queryOptions({
    queryKey: executionKeys.newest(filters, limit, newest),
    queryFn: ({ signal }) => readExecutions(filters, null, { limit, signal }),
    placeholderData: keepPreviousData,
  });
}

export function countsQuery(filters: Omit<ListedFilters, "status">) {
  return queryOptions({
    queryKey: executionKeys.counts(filters),
    queryFn: ({ signal }) => {
      const query = filterParams(filters, Date.now());
      return answered(api.GET("/api/executions/statistics", { params: { query }, signal }));
    },
    placeholderData: keepPreviousData,
  });
}

/** What an execution used by model, as it was at a sequence. */
export function usageQuery(executionId: string, sequence: number) {
  return queryOptions({
    queryKey: executionKeys.usage(executionId, sequence),
    queryFn: ({ signal }) => {
      const path = { execution_id: executionId };
      return answered(api.GET("/api/executions/{execution_id}/usage", { params: { path }, signal }));
    },
    placeholderData: keepPreviousData,
  });
}

/** An execution with all attempts of its steps: the first thousand come along, the others in pages. */
async function readDetail(executionId: string, signal: AbortSignal): Promise<ExecutionDetail> {
  const path = { execution_id: executionId };
  const detail = await answered(api.GET("/api/executions/{execution_id}", { params: { path }, signal }));
  const steps = [...detail.steps];
  let cursor = detail.more_steps ? (steps.at(-1)?.step_execution_id ?? null) : null;
  while (cursor !== null) {
    const query = { limit: 500, cursor };
    const page = await answered(api.GET("/api/executions/{execution_id}/steps", { params: { path, query }, signal }));
    steps.push(...page.items);
    cursor = page.next_cursor;
  }
  // The client types a pair as a list; it is what the server's document says.
  return { ...detail, steps, more_steps: false } as ExecutionDetail;
}

/** Kept current by the socket (see live-execution.ts); read again where its re-runs are others, or all of it is. */
export function executionQuery(executionId: string) {
  return queryOptions({
    queryKey: executionKeys.detail(executionId),
    queryFn: ({ signal }) => readDetail(executionId, signal),
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: (known, read) => applyRead(known as ExecutionDetail | undefined, read as ExecutionDetail),
  });
}

/** Its input, output and metadata, however large; the output is another one when the status is. */
export function payloadsQuery(executionId: string, status: ExecutionStatus) {
  return queryOptions({
    queryKey: executionKeys.payloads(executionId, status),
    queryFn: ({ signal }) =>
      answered(
        api.GET("/api/executions/{execution_id}/payloads", { params: { path: { execution_id: executionId } }, signal }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The newest execution of the same pipeline that completed before this one; it never changes, but may be deleted. */
export function lastGoodQuery(executionId: string) {
  return queryOptions({
    queryKey: executionKeys.lastGood(executionId),
    queryFn: ({ signal }) => {
      const params = { path: { execution_id: executionId } };
      return answered(api.GET("/api/executions/{execution_id}/last-good", { params, signal }));
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Where everything on record about an execution is one file. */
export function exportAddress(executionId: string): string {
  return `${ROOT}/api/executions/${encodeURIComponent(executionId)}/export`;
}

/** One attempt with everything; `sequence` is that of the row shown, so that a newer one is read again. */
export function stepQuery(executionId: string, stepExecutionId: string, sequence: number) {
  return queryOptions({
    queryKey: executionKeys.step(executionId, stepExecutionId, sequence),
    queryFn: async ({ signal }) => {
      const path = { execution_id: executionId, step_execution_id: stepExecutionId };
      const request = api.GET("/api/executions/{execution_id}/steps/{step_execution_id}", { params: { path }, signal });
      return (await answered(request)) as StepDetail; // the client types a pair as a list
    },
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
  });
}

/** What one attempt got: its inputs, or the state, put together from what it is made of. It never changes. */
export function stepInputQuery(executionId: string, stepExecutionId: string) {
  return queryOptions({
    queryKey: executionKeys.stepInput(executionId, stepExecutionId),
    queryFn: ({ signal }) => {
      const path = { execution_id: executionId, step_execution_id: stepExecutionId };
      return answered(
        api.GET("/api/executions/{execution_id}/steps/{step_execution_id}/input", { params: { path }, signal }),
      );
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** `reason`: for the audit log; empty: none. The same key cancels nothing twice. */
export function cancelExecution(executionId: string, reason: string, idempotencyKey: string) {
  const params = { path: { execution_id: executionId }, header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/executions/{execution_id}/cancel", { params, body: reasonOf(reason) }));
}

/** `reason`: for the audit log; empty: none. The same key resumes nothing twice. */
export function resumeExecution(executionId: string, reason: string, idempotencyKey: string) {
  const params = { path: { execution_id: executionId }, header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/executions/{execution_id}/resume", { params, body: reasonOf(reason) }));
}

function reasonOf(reason: string): { reason?: string } {
  return reason.trim() === "" ? {} : { reason: reason.trim() };
}

/** What an execution would run when it goes on. */
export function resumePlanQuery(executionId: string) {
  return queryOptions({
    queryKey: executionKeys.plan(executionId, "resume"),
    queryFn: ({ signal }) =>
      answered(
        api.GET("/api/executions/{execution_id}/resume/plan", {
          params: { path: { execution_id: executionId } },
          signal,
        }),
      ),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
}

/** What a re-run would keep, ask again and run; `body` is that of the re-run, as JSON. */
export function rerunPlanQuery(executionId: string, body: string) {
  return queryOptions({
    queryKey: executionKeys.plan(executionId, body),
    queryFn: ({ signal }) => {
      const params = { path: { execution_id: executionId } };
      const sent = parseJson(body) as RerunRequest;
      return answered(api.POST("/api/executions/{execution_id}/rerun/plan", { params, body: sent, signal }));
    },
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
}

/** The same key starts nothing twice. */
export function rerunExecution(executionId: string, body: RerunRequest, idempotencyKey: string) {
  const params = { path: { execution_id: executionId }, header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/executions/{execution_id}/rerun", { params, body }));
}

export type BulkRequest = Omit<
  operations["change_executions"]["requestBody"]["content"]["application/json"],
  "dry_run"
>;

/** Only count, and say what would be refused, left out and run. */
export function countExecutions(body: BulkRequest) {
  return answered(api.POST("/api/executions/bulk", { body: { ...body, dry_run: true } }));
}

/** The same key cancels, resumes and starts nothing twice, also where the request broke off half-way. */
export function changeExecutions(body: BulkRequest, idempotencyKey: string) {
  const params = { header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/executions/bulk", { params, body: { ...body, dry_run: false } }));
}
