/** How the items of a map stand: one small answer, however many there are. */
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { hasEnded, type Status } from "@/domain/status";
import { answered, api } from "./client";
import { executionQuery } from "./executions";
import { usePaced } from "./live-list";
import type { ItemGridOut, StepOut } from "./schema.gen";

/** The newest attempt of a map in the graph, as the page knows it. */
export type MapRow = Pick<StepOut, "execution_id" | "step_id" | "iteration" | "sequence"> & { status: Status };

const READ_EVERY_MS = 1000;

function gridQuery({ execution_id, step_id, iteration }: MapRow) {
  return queryOptions({
    queryKey: ["executions", "grid", execution_id, step_id, iteration] as const,
    queryFn: ({ signal }) => {
      const params = { path: { execution_id }, query: { step_id, iteration } };
      return answered(api.GET("/api/executions/{execution_id}/runs/grid", { params, signal }));
    },
  });
}

/** Read again, at most once a second, while it is older than what the socket has brought of the execution; of a map that
 * has ended, than its end. undefined: not read so far. */
export function useItemGrid(row: MapRow): ItemGridOut | undefined {
  const client = useQueryClient();
  const query = gridQuery(row);
  const { data } = useQuery(query);
  const { data: execution } = useQuery({ ...executionQuery(row.execution_id), enabled: false }); // the page reads it
  const upto = hasEnded(row.status) ? row.sequence : Math.max(row.sequence, execution?.sequence ?? 0);
  const isOld = data !== undefined && data.sequence < upto;
  const read = usePaced(async () => {
    if (isOld) await client.invalidateQueries({ queryKey: query.queryKey });
  }, READ_EVERY_MS);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again with each answer that is old
  useEffect(() => {
    if (isOld) read();
  }, [isOld, upto, data, read]);
  return data;
}
