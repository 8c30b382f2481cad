/** The graph of a definition, and of a run of it. Laid out once; statuses only colour it. */
import { Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { ReactFlowProvider } from "@xyflow/react";
import { useCallback, useMemo, useState } from "react";
import type { GraphOut } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import { drawnGraph } from "@/domain/drawn-graph";
import { type EdgeStates, type NodeRuns, passedBy, type StepMarks } from "@/domain/graph";
import { expectedHeight, firstView, frameHeight } from "@/domain/graph-layout";
import { Canvas } from "./canvas";
import type { Drawing } from "./elements";
import classes from "./graph.module.css";
import { layoutQuery } from "./layout";

export type PipelineGraphProps = {
  graph: GraphOut;
  /** By step id; without it the definition alone is shown. */
  runs?: NodeRuns;
  /** By the index of the edge in the definition. */
  edges?: EdgeStates;
  /** What a comparison says, by step id. */
  marks?: StepMarks;
  selected?: string | null;
  onSelect?: (stepId: string) => void;
};

const NARROW = 620; // pixels: below, the graph goes down instead of right
const NO_EDGES: EdgeStates = new Map();
const NO_MARKS: StepMarks = new Map();
const NO_GROUPS: ReadonlySet<string> = new Set();
const NO_STEPS: ReadonlySet<string> = new Set();

/** As wide as there is room, and as high as the graph needs. */
export function PipelineGraph(shown: PipelineGraphProps) {
  const { graph, runs, edges = NO_EDGES, marks = NO_MARKS, selected = null, onSelect } = shown;
  const { ref, width } = useElementSize<HTMLDivElement>();
  const [open, setOpen] = useState(NO_GROUPS); // ids of groups
  const orientation = width > 0 && width < NARROW ? "down" : "right";
  const laying = useQuery({ ...layoutQuery(graph, orientation, open, width), enabled: width > 0 });
  const laid = laying.data;
  const height = useMemo(
    () =>
      laid === undefined
        ? expectedHeight(drawnGraph(graph, NO_GROUPS), width, orientation)
        : frameHeight(laid.layout, width),
    [laid, graph, width, orientation],
  );
  const view = useMemo(
    () => (laid === undefined ? undefined : firstView(laid.layout, width, height, orientation)),
    [laid, width, height, orientation],
  );
  const passed = useMemo(() => (runs === undefined ? NO_STEPS : passedBy(graph, runs, edges)), [graph, runs, edges]);
  const drawing = useMemo(
    (): Drawing | undefined => (laid === undefined ? undefined : { ...laid, runs, passed, edges, marks, selected }),
    [laid, runs, passed, edges, marks, selected],
  );
  const toggle = useCallback((groupId: string) => setOpen((before) => toggled(before, groupId)), []);
  return (
    <div>
      <div
        ref={ref}
        className={`panel ${classes.frame}`}
        style={{ height }}
        aria-busy={laid === undefined || laying.isPlaceholderData}
      >
        {laying.error !== null ? (
          <QueryFailed what="The graph's layout" error={laying.error} />
        ) : drawing === undefined || view === undefined ? null : (
          <ReactFlowProvider key={`${graph.version} ${orientation}`}>
            <Canvas
              drawing={drawing}
              view={view}
              width={width}
              height={height}
              orientation={orientation}
              onSelect={onSelect}
              onToggle={toggle}
            />
          </ReactFlowProvider>
        )}
      </div>
      {graph.merge_rules === "" ? null : (
        <Text size="xs" className="quiet" mt={6}>
          merge: {graph.merge_rules}
        </Text>
      )}
    </div>
  );
}

function toggled(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const after = new Set(ids);
  if (!after.delete(id)) after.add(id);
  return after;
}
