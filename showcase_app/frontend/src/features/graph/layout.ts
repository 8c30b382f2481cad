/** Layouts, from ELK in a worker of its own: once for what is drawn, whatever happens to its steps later. */
import { queryOptions } from "@tanstack/react-query";
import ELK, { type ELK as Elk } from "elkjs/lib/elk-api";
import ElkWorker from "elkjs/lib/elk-worker.min.js?worker";
import type { GraphOut } from "@/api/schema.gen";
import { type DrawnGraph, drawnGraph } from "@/domain/drawn-graph";
import { type Layout, layoutOf, layoutQuestion, type Orientation } from "@/domain/graph-layout";

export type LaidGraph = { drawn: DrawnGraph; layout: Layout };

let elk: Elk | undefined;

async function lay(drawn: DrawnGraph, orientation: Orientation, width: number): Promise<LaidGraph> {
  elk ??= new ELK({ algorithms: ["layered"], workerFactory: () => new ElkWorker() });
  return { drawn, layout: layoutOf(drawn, await elk.layout(layoutQuestion(drawn, orientation, width)), width) };
}

/**
 * Of a graph in which the groups with the ids of `open` are open. Until it is there the one before is kept in view.
 * `width` is that of the frame in pixels; it plays a part where open groups are stacked.
 */
export function layoutQuery(graph: GraphOut, orientation: Orientation, open: ReadonlySet<string>, width: number) {
  const isStacked = orientation === "down"; // a row of many would be wider than the screen
  const ofGraph = ["graph-layout", graph.pipeline_id, graph.version, orientation] as const;
  // What is not stored yet (version 0) is known by what is in it; the layout before stays in view while it is written.
  const content = graph.version === 0 ? graph : null;
  return queryOptions({
    queryKey: [...ofGraph, content, isStacked && open.size > 0 ? width : null, ...[...open].sort()] as const,
    queryFn: () => lay(drawnGraph(graph, open, { isStacked }), orientation, width),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    structuralSharing: false,
    placeholderData: (before, query) =>
      ofGraph.every((part, place) => query?.queryKey[place] === part) ? before : undefined,
  });
}
