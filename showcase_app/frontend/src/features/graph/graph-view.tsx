/** The graph, whose code comes when one is shown: that and what lays it out are more than all else of a page. */
import { Skeleton } from "@mantine/core";
import { Suspense } from "react";
import { lazyPart } from "@/components/ui/lazy-part";
import type { PipelineGraphProps } from "./pipeline-graph";

const PipelineGraph = lazyPart(async () => (await import("./pipeline-graph")).PipelineGraph);
const WAITING_HEIGHT = 300;

export function GraphView(props: PipelineGraphProps) {
  return (
    <Suspense fallback={<Skeleton height={WAITING_HEIGHT} role="status" aria-label="The graph is being read" />}>
      <PipelineGraph {...props} />
    </Suspense>
  );
}
