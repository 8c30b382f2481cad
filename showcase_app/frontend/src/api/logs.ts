/** Log lines of an execution or of one attempt, oldest first, in pages. */
import { infiniteQueryOptions } from "@tanstack/react-query";
import type { LineFilters } from "@/domain/log-lines";
import { answered, api } from "./client";
import { executionKeys } from "./executions";

const PAGE = 500;

/** Not kept when nobody looks: lines that come later are only heard of while the page is open. */
export function logsQuery(executionId: string, filters: LineFilters) {
  return infiniteQueryOptions({
    queryKey: executionKeys.logs(executionId, filters),
    queryFn: ({ signal, pageParam }) =>
      answered(
        api.GET("/api/executions/{execution_id}/logs", {
          params: {
            path: { execution_id: executionId },
            query: { ...filters, limit: PAGE, cursor: pageParam ?? undefined },
          },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
}
