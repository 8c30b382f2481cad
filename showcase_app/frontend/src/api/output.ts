/** What steps give as it comes: read from the beginning, and then from where the reading ended. */
import { type QueryClient, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { NO_OUTPUT, type Output, withPage } from "@/domain/streamed-output";
import { answered, api } from "./client";
import { usePaced } from "./live-list";
import type { LogOut } from "./schema.gen";

const PAGE = 500;
const READ_EVERY_MS = 200;
const LOOK_EVERY_MS = 1_000; // for what is given within runs, of which the socket brings no lines

type Of = { executionId: string; stepExecutionId: string | null; isOver: boolean };

/** Of an attempt, or of all. When it is over it is read anew: a step may keep nothing of what it gave. */
function outputQuery(client: QueryClient, { executionId, stepExecutionId, isOver }: Of) {
  const ofThis = ["executions", "output", executionId, stepExecutionId] as const;
  const queryKey = [...ofThis, isOver] as const;
  return queryOptions({
    queryKey,
    queryFn: async ({ signal }): Promise<Output> => {
      let known = client.getQueryData<Output>(queryKey) ?? NO_OUTPUT;
      let more = true;
      while (more) {
        const query = {
          step_execution_id: stepExecutionId ?? undefined,
          after: known.cursor ?? undefined,
          limit: PAGE,
        };
        const params = { path: { execution_id: executionId }, query };
        const page = await answered(api.GET("/api/executions/{execution_id}/output", { params, signal }));
        known = withPage(known, page);
        more = page.more;
      }
      return known;
    },
    staleTime: isOver ? Number.POSITIVE_INFINITY : 0,
    gcTime: 0,
    structuralSharing: false,
    placeholderData: (before: Output | undefined, query) =>
      ofThis.every((part, place) => query?.queryKey[place] === part) ? before : undefined,
  });
}

/** `newest`: the last line of it that the socket brought; with each one it is read on. `hasInner`: see above. */
export function useOutput(of: Of, { newest, hasInner }: { newest: string | null; hasInner: boolean }) {
  const client = useQueryClient();
  const options = outputQuery(client, of);
  const { isOver } = of;
  const query = useQuery({ ...options, refetchInterval: hasInner && !isOver ? LOOK_EVERY_MS : false });
  const readOn = usePaced(
    () => client.invalidateQueries({ queryKey: options.queryKey }, { cancelRefetch: false }),
    READ_EVERY_MS,
  );
  useEffect(() => {
    if (newest !== null && !isOver) readOn();
  }, [newest, isOver, readOn]);
  return query;
}

/** The last line of output that was heard, of an attempt or of all; null: none was. */
export function newestOutput(lines: readonly LogOut[], stepExecutionId: string | null): string | null {
  const isOf = (line: LogOut) => stepExecutionId === null || line.step_execution_id === stepExecutionId;
  return lines.findLast((line) => line.level === "output" && isOf(line))?.log_id ?? null;
}

/** Whether an execution has any output by now. */
export function hasOutputQuery(executionId: string, isOver: boolean) {
  return queryOptions({
    queryKey: ["executions", "has-output", executionId, isOver] as const,
    queryFn: async ({ signal }) => {
      const params = { path: { execution_id: executionId }, query: { limit: 1 } };
      const page = await answered(api.GET("/api/executions/{execution_id}/output", { params, signal }));
      return page.items.length > 0;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}
