/** The graph of a definition, and of a run of it. Laid out once; statuses only colour it. */
import { Text, useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import {
  Background,
  Controls,
  MarkerType,
  type NodeChange,
  type NodeHandle,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  type Viewport,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { GraphOut } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import { type EdgeStates, edgeSentence, type NodeRuns, passedBy, START, type StepMarks } from "@/domain/graph";
import {
  type Box,
  type EdgeLine,
  endName,
  expectedHeight,
  firstView,
  frameHeight,
  type Layout,
  type Orientation,
  type View,
} from "@/domain/graph-layout";
import classes from "./graph.module.css";
import { layoutQuery } from "./layout";
import { type LineEdge, LineEdgeView } from "./line-edge";
import { type MarkNode, MarkNodeView, type StepNode, StepNodeView, type StepStanding } from "./step-node";

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
const NODE_TYPES = { step: StepNodeView, mark: MarkNodeView };
const EDGE_TYPES = { line: LineEdgeView };
const NO_EDGES: EdgeStates = new Map();
const NO_MARKS: StepMarks = new Map();

/** As wide as there is room, and as high as the graph needs. */
export function PipelineGraph(shown: PipelineGraphProps) {
  const { ref, width } = useElementSize<HTMLDivElement>();
  const { graph } = shown;
  const orientation = width > 0 && width < NARROW ? "down" : "right";
  const { data: layout, error } = useQuery({ ...layoutQuery(graph, orientation), enabled: width > 0 });
  const height = layout === undefined ? expectedHeight(graph, width, orientation) : frameHeight(layout, width);
  const view = useMemo(
    () => (layout === undefined ? undefined : firstView(layout, width, height, orientation)),
    [layout, width, height, orientation],
  );
  return (
    <div>
      <div ref={ref} className={`panel ${classes.frame}`} style={{ height }} aria-busy={layout === undefined}>
        {error !== null ? (
          <QueryFailed what="The graph's layout" error={error} />
        ) : layout === undefined || view === undefined ? null : (
          <ReactFlowProvider key={`${graph.version} ${orientation}`}>
            <Canvas {...shown} layout={layout} view={view} orientation={orientation} />
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

type CanvasProps = PipelineGraphProps & { layout: Layout; view: View; orientation: Orientation };

function Canvas({
  graph,
  runs,
  edges = NO_EDGES,
  marks = NO_MARKS,
  selected = null,
  onSelect,
  layout,
  view,
  orientation,
}: CanvasProps) {
  const colorMode = useComputedColorScheme("light");
  const flow = useReactFlow();
  const [ready, setReady] = useState(false);
  const canvasRef = useRef<HTMLDivElement>(null);
  const nodes = useMemo(() => {
    const steps = new Map(graph.nodes.map((node) => [node.id, node]));
    const passed = runs === undefined ? new Set<string>() : passedBy(graph, runs, edges);
    return layout.boxes.map((box): StepNode | MarkNode => {
      const placed = {
        id: box.id,
        position: { x: box.x, y: box.y },
        width: box.width,
        height: box.height,
        handles: handles(box),
      };
      const step = steps.get(box.id);
      if (step === undefined) {
        const kind = box.id === START ? "start" : "end";
        return {
          ...placed,
          type: "mark",
          data: { kind, text: kind === "start" ? "" : endName(box.id) },
          selectable: false,
          focusable: false,
        };
      }
      const run = runs?.get(box.id);
      const standing: StepStanding =
        run !== undefined ? "run" : runs === undefined ? "idle" : passed.has(box.id) ? "passed" : "ahead";
      return {
        ...placed,
        type: "step",
        data: { step, run, standing, mark: marks.get(box.id) },
        selected: box.id === selected,
        ariaRole: "button",
        domAttributes: { "aria-roledescription": "step", "aria-pressed": box.id === selected },
      };
    });
  }, [graph, runs, edges, marks, selected, layout]);
  const names = useMemo(() => new Map(graph.nodes.map(({ id, name }) => [id, name])), [graph]);
  const drawn = useMemo(
    // Those that were taken last, over the others.
    () => layout.lines.map((line) => edgeOf(line, names, runs, edges)).sort((a, b) => taken(a) - taken(b)),
    [names, runs, edges, layout],
  );

  useEffect(() => {
    if (ready) flow.setViewport(view); // once more when the room has changed
  }, [ready, view, flow]);

  useEffect(() => {
    const box = selected === null ? undefined : layout.boxes.find((each) => each.id === selected);
    if (!ready || box === undefined) return;
    const { x, y, zoom } = flow.getViewport();
    const canvas = canvasRef.current?.getBoundingClientRect();
    if (canvas === undefined) return;
    const left = box.x * zoom + x;
    const top = box.y * zoom + y;
    const seen =
      left >= 0 && top >= 0 && left + box.width * zoom <= canvas.width && top + box.height * zoom <= canvas.height;
    if (!seen) flow.setCenter(box.x + box.width / 2, box.y + box.height / 2, { zoom, duration: 250 });
  }, [ready, selected, layout, flow]);

  const choose = (changes: NodeChange<StepNode | MarkNode>[]) => {
    for (const change of changes) if (change.type === "select" && change.selected) onSelect?.(change.id);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a canvas that is moved by keys has no element of its own
    <div
      ref={canvasRef}
      className={classes.canvas}
      aria-busy={!ready} // React Flow draws once before it takes the view in
      role="group"
      aria-label="Graph of the pipeline. Arrow keys move it, plus and minus zoom, 0 shows all of it."
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it is moved by keys
      tabIndex={0}
      onKeyDown={(event) => moveByKey(event, flow)}
    >
      <ReactFlow
        nodes={nodes}
        edges={drawn}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={choose}
        colorMode={colorMode}
        defaultViewport={view}
        onInit={() => setReady(true)}
        minZoom={0.05}
        maxZoom={1.6}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        elementsSelectable={onSelect !== undefined}
        nodesFocusable={onSelect !== undefined}
        deleteKeyCode={null}
        multiSelectionKeyCode={null}
        selectionKeyCode={null}
        zoomOnScroll={false}
        preventScrolling={false}
        zoomActivationKeyCode={["Control", "Meta"]}
        zoomOnDoubleClick={false}
        ariaLabelConfig={{ "node.a11yDescription.default": "Enter selects the step." }}
      >
        <Background gap={22} size={1.2} />
        <Controls
          showInteractive={false}
          position={orientation === "down" ? "top-left" : "bottom-left"} // beside the start
          orientation="horizontal"
          fitViewOptions={{ padding: 0.06 }}
        />
      </ReactFlow>
    </div>
  );
}

function edgeOf(
  line: EdgeLine,
  names: ReadonlyMap<string, string>,
  runs: NodeRuns | undefined,
  edges: EdgeStates,
): LineEdge {
  const target = runs?.get(line.target);
  const recorded = line.edge === null ? (target === undefined ? "unknown" : "taken") : stateOf(line, edges);
  const state = runs === undefined ? "idle" : recorded;
  const moving = state === "taken" && target?.status === "running";
  return {
    id: line.id,
    type: "line",
    source: line.source,
    target: line.target,
    data: { line, state, moving },
    ariaLabel: edgeSentence(names, line.edge, state),
    markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: arrowColor(state, moving) },
    selectable: false,
    focusable: false,
  };
}

const DRAWN_LAST: readonly unknown[] = ["taken", "only_a", "only_b"];

function taken(edge: LineEdge): number {
  return DRAWN_LAST.includes(edge.data?.state) ? 1 : 0;
}

function stateOf(line: EdgeLine, edges: EdgeStates) {
  const index = line.edge?.index ?? null;
  return index === null ? "unknown" : (edges.get(index) ?? "unknown");
}

function arrowColor(state: string, moving: boolean): string {
  if (moving) return "var(--ia-status-running)";
  if (state === "only_a" || state === "only_b") return "var(--ia-differs)";
  if (state === "taken") return "light-dark(#4c5a6e, #a8b3c2)";
  return state === "not_taken" ? "light-dark(#d3d8e0, #333a44)" : "light-dark(#98a2b1, #566070)";
}

/** Those of a node that is not rendered, because it is out of view. */
function handles({ width, height }: Box): NodeHandle[] {
  const size = { y: height / 2, width: 1, height: 1 };
  return [
    { type: "target", position: Position.Left, x: 0, ...size },
    { type: "source", position: Position.Right, x: width, ...size },
  ];
}

/** What moves the view: the part of React Flow's instance that no type of node plays a part in. */
type Flow = {
  fitView: (options: { padding?: number; maxZoom?: number; duration?: number }) => unknown;
  getViewport: () => Viewport;
  setViewport: (viewport: Viewport) => unknown;
  zoomIn: (options: { duration: number }) => unknown;
  zoomOut: (options: { duration: number }) => unknown;
};

const STEP = 60;
const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [STEP, 0],
  ArrowRight: [-STEP, 0],
  ArrowUp: [0, STEP],
  ArrowDown: [0, -STEP],
};

function moveByKey(event: KeyboardEvent, flow: Flow): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const move = MOVES[event.key];
  if (move !== undefined) {
    const { x, y, zoom } = flow.getViewport();
    flow.setViewport({ x: x + move[0], y: y + move[1], zoom });
  } else if (event.key === "+" || event.key === "=") flow.zoomIn({ duration: 120 });
  else if (event.key === "-") flow.zoomOut({ duration: 120 });
  else if (event.key === "0") flow.fitView({ padding: 0.06, duration: 200 });
  else return;
  event.preventDefault();
}
