/** Log lines of an execution or of one attempt, oldest first, in pages. */
import { infiniteQueryOptions } from "@tanstack/react-query";
import type { LineFilters } from "@/domain/log-lines";
import { answered, api } from "./client";
import { executionKeys } from "./executions";
import type { LogOut, LogPageOut } from "./schema.gen";

const PAGE = 500;

/** All lines that there are now, in the form in which a page of them is read. */
export async function readEveryLine(
  executionId: string,
  filters: LineFilters,
  signal?: AbortSignal,
): Promise<LogOut[]> {
  const lines: LogOut[] = [];
  let cursor: string | null = null;
  do {
    const page = await readPage(executionId, filters, cursor, signal);
    lines.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return lines;
}

function readPage(
  executionId: string,
  filters: LineFilters,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<LogPageOut> {
  return answered(
    api.GET("/api/executions/{execution_id}/logs", {
      params: { path: { execution_id: executionId }, query: { ...filters, limit: PAGE, cursor: cursor ?? undefined } },
      signal,
    }),
  );
}

/** Not kept when nobody looks: lines that come later are only heard of while the page is open. */
export function logsQuery(executionId: string, filters: LineFilters) {
  return infiniteQueryOptions({
    queryKey: executionKeys.logs(executionId, filters),
    queryFn: ({ signal, pageParam }) => readPage(executionId, filters, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
}
