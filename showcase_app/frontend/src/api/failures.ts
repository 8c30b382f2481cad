/** Failures in groups: questions, and what people say of them. */
import { keepPreviousData, type QueryClient, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { type TimeWindow, windowStart } from "@/domain/execution-filters";
import { type FailureFilters, type FailureMark, type Standing, standingAfter, standingOf } from "@/domain/failures";
import { answered, api } from "./client";
import { useRequestKey } from "./request-key";
import type { FailureOut, FailurePageOut } from "./schema.gen";

export const failureKeys = {
  all: ["failures"] as const,
  lists: () => ["failures", "list"] as const,
  list: (filters: FailureFilters) => ["failures", "list", filters] as const,
  details: () => ["failures", "detail"] as const,
  detail: (id: string, window: TimeWindow) => ["failures", "detail", id, window] as const,
};

const MOST_GROUPS = 200;

/** The groups that failed in a window that ends now, the one that failed last first. */
export function failuresQuery({ window, ...filters }: FailureFilters) {
  return queryOptions({
    queryKey: failureKeys.list({ window, ...filters }),
    queryFn: ({ signal }) => {
      const query = { ...filters, since: windowStart(window, Date.now()), limit: MOST_GROUPS };
      return answered(api.GET("/api/failures", { params: { query }, signal }));
    },
    placeholderData: keepPreviousData,
    retry: false, // what takes too long once does so again
  });
}

/** One group, counted in a window that ends now. */
export function failureQuery(failureId: string, window: TimeWindow = "7d") {
  return queryOptions({
    queryKey: failureKeys.detail(failureId, window),
    queryFn: ({ signal }) => {
      const params = { path: { failure_id: failureId }, query: { since: windowStart(window, Date.now()) } };
      return answered(api.GET("/api/failures/{failure_id}", { params, signal }));
    },
  });
}

type Marking = { failure: FailureOut; mark: FailureMark };

/** Says what becomes of a group: shown at once, and taken back where the server refuses it. */
export function useMarkFailure() {
  const client = useQueryClient();
  const keyFor = useRequestKey();
  return useMutation({
    mutationFn: ({ failure, mark }: Marking) =>
      markFailure(failure.id, mark, keyFor(JSON.stringify([failure.id, failure.marked_at, mark]))),
    onMutate: async ({ failure, mark }) => {
      await client.cancelQueries({ queryKey: failureKeys.all }); // an answer from before would show the old state
      setStanding(client, failure.id, standingAfter(mark));
    },
    onSuccess: (row) => setStanding(client, row.id, standingOf(row)),
    onError: (_, { failure }) => setStanding(client, failure.id, standingOf(failure)),
    onSettled: () => client.invalidateQueries({ queryKey: failureKeys.all }),
  });
}

function markFailure(failure_id: string, mark: FailureMark, idempotencyKey: string): Promise<FailureOut> {
  const params = { path: { failure_id }, header: { "Idempotency-Key": idempotencyKey } };
  if (mark.state === "muted") return answered(api.POST("/api/failures/{failure_id}/mute", { params }));
  if (mark.state === "open") return answered(api.POST("/api/failures/{failure_id}/unmute", { params }));
  return answered(api.POST("/api/failures/{failure_id}/mended", { params, body: { version: mark.version } }));
}

function setStanding(client: QueryClient, id: string, standing: Standing): void {
  const changed = (row: FailureOut) => (row.id === id ? { ...row, ...standing } : row);
  client.setQueriesData<FailurePageOut>({ queryKey: failureKeys.lists() }, (page) =>
    page === undefined ? undefined : { ...page, items: page.items.map(changed) },
  );
  client.setQueriesData<FailureOut>({ queryKey: failureKeys.details() }, (row) =>
    row === undefined ? undefined : changed(row),
  );
}
