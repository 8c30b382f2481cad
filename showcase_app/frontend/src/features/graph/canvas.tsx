/** A graph that is moved and zoomed. Of one with very many steps only what is in view has elements of its own. */
import { useComputedColorScheme } from "@mantine/core";
import { IconMaximize } from "@tabler/icons-react";
import { replaceEqualDeep } from "@tanstack/react-query";
import {
  Background,
  ControlButton,
  Controls,
  MiniMap,
  type NodeChange,
  ReactFlow,
  type ReactFlowState,
  useReactFlow,
  useStore,
  type Viewport,
  ViewportPortal,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type KeyboardEvent, type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import { placeOf } from "@/domain/drawn-graph";
import {
  type Box,
  isBeyondView,
  middleOf,
  type Orientation,
  type View,
  viewKeeping,
  wholeView,
} from "@/domain/graph-layout";
import { type Area, areaAround, boxAt, FAR_ZOOM, isDrawnAsShapes, isInArea } from "@/domain/graph-overview";
import {
  type Drawing,
  edgesOf,
  type GraphElement,
  linesOf,
  mapColor,
  nodesOf,
  shapeNodesOf,
  stackNodesOf,
} from "./elements";
import classes from "./graph.module.css";
import { GroupNodeView } from "./group-node";
import { EdgeLabel, type LineEdge, type LineEdgeData, LineEdgeView } from "./line-edge";
import { MapNode, ShapeNodeView } from "./shape-node";
import { StackNodeView } from "./stack-node";
import { MarkNodeView, StepNodeView } from "./step-node";

const NODE_TYPES = {
  step: StepNodeView,
  group: GroupNodeView,
  mark: MarkNodeView,
  shape: ShapeNodeView,
  stack: StackNodeView,
};
const EDGE_TYPES = { line: LineEdgeView };

type CanvasProps = {
  drawing: Drawing;
  /** How it is looked at first, in a frame of this size. */
  view: View;
  width: number;
  height: number;
  orientation: Orientation;
  onSelect: ((stepId: string) => void) | undefined;
  /** Open a group, or close it. */
  onToggle: (groupId: string) => void;
};

export function Canvas({ drawing, view, width, height, orientation, onSelect, onToggle }: CanvasProps) {
  const { drawn, layout, selected } = drawing;
  const colorMode = useComputedColorScheme("light");
  const flow = useReactFlow();
  const [ready, setReady] = useState(false);
  const toggled = useRef<Box | null>(null); // the group that was opened or closed, until there is a layout with it
  const clicked = useRef(false); // what is selected next was in view when it was chosen
  const { nodes, edges, labels, isFar } = useElements(drawing, onSelect !== undefined);

  useEffect(() => {
    if (!ready) return;
    const before = toggled.current;
    toggled.current = null;
    const after = before === null ? undefined : layout.boxes.find((box) => box.id === before.id);
    // Once more when the room has changed; a group stays where it was when it was opened.
    flow.setViewport(before === null || after === undefined ? view : viewKeeping(before, after, flow.getViewport()));
  }, [ready, view, layout, flow]);

  const place = selected === null ? null : placeOf(drawn.groups, selected);
  useEffect(() => {
    const box = place === null ? undefined : layout.boxes.find((each) => each.id === place);
    const wasClicked = clicked.current;
    clicked.current = false;
    if (!ready || box === undefined || wasClicked) return;
    const { x, y, zoom } = flow.getViewport();
    const isTooFar = isDrawnAsShapes(layout) && zoom < FAR_ZOOM;
    const left = box.x * zoom + x;
    const top = box.y * zoom + y;
    const seen = left >= 0 && top >= 0 && left + box.width * zoom <= width && top + box.height * zoom <= height;
    if (seen && !isTooFar) return;
    const nextZoom = isTooFar ? NEAR_ZOOM : zoom;
    const middle = middleOf(box, layout, nextZoom, width, height);
    flow.setCenter(middle.x, middle.y, { zoom: nextZoom, duration: 250 });
  }, [ready, place, layout, flow, width, height]);

  const choose = (id: string) => {
    const box = layout.boxes.find((each) => each.id === id);
    const item = drawn.items.find((each) => each.id === id);
    if (box === undefined || item === undefined) return;
    if (item.group !== null) {
      if (toggled.current !== null) return; // it is being laid out
      clicked.current = true;
      toggled.current = box;
      onToggle(id);
    } else if (id !== selected) {
      clicked.current = true;
      onSelect?.(id);
    }
  };
  const chooseAmong = (changes: NodeChange<GraphElement>[]) => {
    for (const change of changes) if (change.type === "select" && change.selected) choose(change.id);
  };
  const chooseAt = (event: MouseEvent) => {
    const reach = CLICK_PIXELS / flow.getZoom();
    const box = boxAt(layout.boxes, flow.screenToFlowPosition({ x: event.clientX, y: event.clientY }), reach);
    if (box !== null) choose(box.id);
  };
  const whole = wholeView(layout, width, height);
  const showAll = (duration: number) => void flow.setViewport(whole, { duration });
  const hasMap = width >= LEAST_MAPPED && isBeyondView(layout, width, height);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a canvas that is moved by keys has no element of its own
    <div
      className={classes.canvas}
      aria-busy={!ready} // React Flow draws once before it takes the view in
      role="group"
      aria-label="Graph of the pipeline. Arrow keys move it, plus and minus zoom, 0 shows all of it."
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it is moved by keys
      tabIndex={0}
      onKeyDown={(event) => moveByKey(event, flow, () => showAll(200))}
    >
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={chooseAmong}
        onPaneClick={isFar ? chooseAt : undefined}
        colorMode={colorMode}
        defaultViewport={view}
        onInit={() => setReady(true)}
        minZoom={Math.min(LEAST_ZOOM, whole.zoom)}
        maxZoom={1.6}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        deleteKeyCode={null}
        multiSelectionKeyCode={null}
        selectionKeyCode={null}
        zoomOnScroll={false}
        preventScrolling={false}
        zoomActivationKeyCode={["Control", "Meta"]}
        zoomOnDoubleClick={false}
        ariaLabelConfig={{ "node.a11yDescription.default": "Enter selects a step, and opens or closes a group." }}
      >
        <Background gap={22} size={1.2} />
        <Controls
          showInteractive={false}
          position={orientation === "down" ? "top-left" : "bottom-left"} // beside the start
          orientation="horizontal"
          showFitView={false} // React Flow would fit what it knows, which may be what is in view alone
        >
          <ControlButton title={SHOW_ALL} aria-label={SHOW_ALL} onClick={() => showAll(0)}>
            <IconMaximize aria-hidden style={{ fill: "none" }} />
          </ControlButton>
        </Controls>
        {labels.length === 0 ? null : (
          <ViewportPortal>
            {labels.map(({ line, state }) => (
              <EdgeLabel key={line.id} line={line} state={state} />
            ))}
          </ViewportPortal>
        )}
        {hasMap ? <GraphMap drawing={drawing} width={width} height={height} /> : null}
      </ReactFlow>
    </div>
  );
}

const SHOW_ALL = "Show all of the graph";
const NEAR_ZOOM = 0.8;
const LEAST_ZOOM = 0.05; // of small graphs
const CLICK_PIXELS = 6;
const MAP_PIXELS = { most: 200, least: 44 };
const LEAST_MAPPED = 240; // pixels of the canvas: a drawer that opens begins with none
const MAP_SHARE = 0.35; // of either side of the canvas, at most
const MAP_STROKE_PIXELS = 1.5; // so that each step is seen, however small

/** A small map of what is too large to be seen at once, in its shape. */
function GraphMap({ drawing, width, height }: { drawing: Drawing; width: number; height: number }) {
  const { layout } = drawing;
  const most = (side: number) => Math.min(MAP_PIXELS.most, MAP_SHARE * side);
  const fit = Math.min(most(width) / layout.width, most(height) / layout.height);
  const mapped = (side: number) => Math.round(Math.max(MAP_PIXELS.least, fit * side));
  const size = { width: mapped(layout.width), height: mapped(layout.height) };
  const scale = Math.max(layout.width / size.width, layout.height / size.height);
  return (
    <MiniMap<GraphElement>
      pannable
      zoomable
      position="bottom-right"
      ariaLabel="Small map of the graph: drag to move"
      style={size}
      nodeColor={mapColor}
      nodeComponent={MapNode}
      nodeBorderRadius={4}
      nodeStrokeColor={mapColor}
      nodeStrokeWidth={MAP_STROKE_PIXELS * scale}
    />
  );
}

/** What is drawn; `labels`: of edges that have no elements of their own. */
type Elements = { nodes: GraphElement[]; edges: LineEdge[]; labels: readonly LineEdgeData[] };

/** Of a graph with very many steps the elements are those in view, and shapes for all. What did not change is the object
 * that it was, so that nothing of it is drawn again. */
function useElements(drawing: Drawing, canSelect: boolean): Elements & { isFar: boolean } {
  const { layout } = drawing;
  const isLarge = isDrawnAsShapes(layout);
  const isFar = useStore((state) => isLarge && state.transform[2] < FAR_ZOOM);
  const area = useStore((state) => (isLarge ? areaInView(state) : null), isSameArea);
  const made = useMemo((): Elements => {
    if (area === null) {
      const nodes = [...stackNodesOf(layout), ...nodesOf(drawing, layout.boxes, canSelect)];
      return { nodes, edges: edgesOf(drawing, layout.lines), labels: [] };
    }
    const shapes = shapeNodesOf(drawing, isFar);
    if (isFar) return { nodes: shapes, edges: [], labels: [] };
    const boxes = layout.boxes.filter((box) => isInArea(box, area));
    const labelled = layout.lines.filter(({ labelAt: at }) => at !== null && isInArea({ ...at, ...NO_SIZE }, area));
    const nodes = [...shapes, ...stackNodesOf(layout), ...nodesOf(drawing, boxes, canSelect)];
    return { nodes, edges: [], labels: linesOf(drawing, labelled) };
  }, [drawing, layout, canSelect, isFar, area]);
  const kept = useRef(made);
  kept.current = replaceEqualDeep(kept.current, made);
  return { ...kept.current, isFar };
}

const NO_SIZE = { width: 0, height: 0 };

function areaInView({ transform: [x, y, zoom], width, height }: ReactFlowState): Area {
  return areaAround({ x, y, zoom }, width, height);
}

function isSameArea(one: Area | null, other: Area | null): boolean {
  if (one === null || other === null) return one === other;
  return one.x === other.x && one.y === other.y && one.width === other.width && one.height === other.height;
}

/** What moves the view: the part of React Flow's instance that no type of node plays a part in. */
type Flow = {
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

function moveByKey(event: KeyboardEvent, flow: Flow, showAll: () => void): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const move = MOVES[event.key];
  if (move !== undefined) {
    const { x, y, zoom } = flow.getViewport();
    flow.setViewport({ x: x + move[0], y: y + move[1], zoom });
  } else if (event.key === "+" || event.key === "=") flow.zoomIn({ duration: 120 });
  else if (event.key === "-") flow.zoomOut({ duration: 120 });
  else if (event.key === "0") showAll();
  else return;
  event.preventDefault();
}
