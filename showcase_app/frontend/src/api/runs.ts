/** What is within a run: one level of it in pages, and all attempts of one of its runs. */
import { keepPreviousData, queryOptions, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { Place } from "@/domain/inner-runs";
import { answered, api } from "./client";
import { executionKeys } from "./executions";
import { usePaced } from "./live-list";
import type { StepDetail, StepStatus } from "./schema.gen";

export type RunFilters = { status: StepStatus | null; q: string };

export const EVERY_RUN: RunFilters = { status: null, q: "" };

const PAGE = 50;
const MOST_ATTEMPTS = 500;
const READ_EVERY_MS = 1000;

const runKeys = {
  of: (id: string) => ["executions", "runs", id] as const,
  page: (id: string, within: string, filters: RunFilters, after: string | null) =>
    ["executions", "runs", id, within, filters, after] as const,
  attempts: (id: string, within: string, stepId: string, iteration: number) =>
    ["executions", "runs", id, within, "attempts", stepId, iteration] as const,
};

/** A page of what is within a run, after a cursor; null: the first, which has how many there are of each status. */
export function runsQuery(executionId: string, within: string, filters: RunFilters, after: string | null) {
  return queryOptions({
    queryKey: runKeys.page(executionId, within, filters, after),
    queryFn: ({ signal }) => {
      const path = { execution_id: executionId };
      const { status, q } = filters;
      const query = {
        within,
        status: status ?? undefined,
        q: q === "" ? undefined : q,
        after: after ?? undefined,
        limit: PAGE,
      };
      return answered(api.GET("/api/executions/{execution_id}/runs", { params: { path, query }, signal }));
    },
  });
}

/** The same, with what was shown before until it is there. */
export function nextRunsQuery(executionId: string, within: string, filters: RunFilters, after: string | null) {
  return queryOptions({ ...runsQuery(executionId, within, filters, after), placeholderData: keepPreviousData });
}

/** All attempts of a run within another, in their order; empty: there is no such run. */
export function attemptsQuery(executionId: string, { within, step_id, iteration }: Omit<Place, "attempt">) {
  return queryOptions({
    queryKey: runKeys.attempts(executionId, within, step_id, iteration),
    queryFn: async ({ signal }) => {
      const path = { execution_id: executionId };
      const query = { within, step_id, iteration, limit: MOST_ATTEMPTS };
      const page = await answered(api.GET("/api/executions/{execution_id}/steps", { params: { path, query }, signal }));
      return page.items as StepDetail[]; // the client types a pair as a list
    },
  });
}

/** Reads what is within runs again when the execution has changed, `withLines` the lines of log too: at most once a second,
 * while `goesOn`, and once more when it has ended. */
export function useReadAgain(executionId: string, sequence: number, goesOn: boolean, withLines: boolean): void {
  const client = useQueryClient();
  const keys = withLines ? [runKeys.of(executionId), executionKeys.linesOf(executionId)] : [runKeys.of(executionId)];
  const ask = usePaced(
    () => Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey }))),
    READ_EVERY_MS,
  );
  const before = useRef({ sequence, goesOn });
  useEffect(() => {
    if (before.current.sequence !== sequence && (goesOn || before.current.goesOn)) ask();
    before.current = { sequence, goesOn };
  }, [sequence, goesOn, ask]);
}
