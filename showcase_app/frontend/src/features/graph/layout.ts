/** Layouts, from ELK in a worker of its own: once for each definition and orientation, whatever happens to it later. */
import { queryOptions } from "@tanstack/react-query";
import ELK, { type ELK as Elk } from "elkjs/lib/elk-api";
import ElkWorker from "elkjs/lib/elk-worker.min.js?worker";
import type { GraphOut } from "@/api/schema.gen";
import { type Layout, layoutOf, layoutQuestion, type Orientation } from "@/domain/graph-layout";

let elk: Elk | undefined;

async function lay(graph: GraphOut, orientation: Orientation): Promise<Layout> {
  elk ??= new ELK({ workerFactory: () => new ElkWorker() });
  return layoutOf(graph, await elk.layout(layoutQuestion(graph, orientation)));
}

export function layoutQuery(graph: GraphOut, orientation: Orientation) {
  return queryOptions({
    queryKey: ["graph-layout", graph.pipeline_id, graph.version, orientation],
    queryFn: () => lay(graph, orientation),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}
