/** Questions to people: lists of them, one of them, how many wait, and answers. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import type { InboxFilters } from "@/domain/inbox-filters";
import { answered, api } from "./client";
import type { AnswerEachRequest, AnswerRequest } from "./schema.gen";

export const interactionKeys = {
  all: ["interactions"] as const,
  count: ["interactions", "count"] as const,
  lists: ["interactions", "list"] as const,
  list: (filters: InboxFilters) => ["interactions", "list", filters] as const,
  /** With the number of its row, where that is known from elsewhere: a newer row is read again. */
  detail: (id: string, sequence?: number) => ["interactions", "detail", id, ...(sequence ? [sequence] : [])] as const,
};

const PAGE = 50;

/** How many questions the reader may see that wait for an answer. */
export const interactionCountQuery = queryOptions({
  queryKey: interactionKeys.count,
  queryFn: ({ signal }) => answered(api.GET("/api/interactions/count", { signal })),
});

export function interactionsQuery(filters: InboxFilters) {
  return infiniteQueryOptions({
    queryKey: interactionKeys.list(filters),
    queryFn: ({ signal, pageParam }) => {
      const query = { ...filters, limit: PAGE, cursor: pageParam ?? undefined };
      return answered(api.GET("/api/interactions", { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

export function interactionQuery(interactionId: string, sequence?: number) {
  return queryOptions({
    queryKey: interactionKeys.detail(interactionId, sequence),
    queryFn: ({ signal }) => {
      const path = { interaction_id: interactionId };
      return answered(api.GET("/api/interactions/{interaction_id}", { params: { path }, signal }));
    },
    placeholderData: sequence === undefined ? undefined : keepPreviousData,
  });
}

/** Returns the question as it is with the answer. */
export function answerInteraction(interactionId: string, body: AnswerRequest, idempotencyKey: string) {
  const params = { path: { interaction_id: interactionId }, header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/interactions/{interaction_id}/respond", { params, body }));
}

/** Asks these people from here on; returns the question as it is then. */
export function assignInteraction(interactionId: string, assigned_users: string[], idempotencyKey: string) {
  const params = { path: { interaction_id: interactionId }, header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/interactions/{interaction_id}/assign", { params, body: { assigned_users } }));
}

/** One answer to many questions that are alike; returns how many have it, and those that were left. */
export function answerInteractions(body: AnswerEachRequest, idempotencyKey: string) {
  const params = { header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/interactions/bulk", { params, body }));
}
