/** What React Flow draws: nodes and edges, made of a layout and of how everything stands. */
import { MarkerType, type NodeHandle, Position } from "@xyflow/react";
import type { DrawnItem } from "@/domain/drawn-graph";
import {
  type EdgeState,
  type EdgeStates,
  edgeSentence,
  type NodeRuns,
  START,
  type StepMark,
  type StepMarks,
} from "@/domain/graph";
import { type Box, type EdgeLine, endName, type Layout } from "@/domain/graph-layout";
import { type Shape, shapesOfBoxes, shapesOfLines } from "@/domain/graph-overview";
import { type Status, statusFill } from "@/domain/status";
import { groupRunOf, markOfGroup, stateOfEdges, statusOfGroup } from "@/domain/step-groups";
import type { GroupNode } from "./group-node";
import type { LaidGraph } from "./layout";
import type { LineEdge, LineEdgeData } from "./line-edge";
import type { ShapeNode } from "./shape-node";
import type { StackNode } from "./stack-node";
import type { MarkNode, StepNode } from "./step-node";

export type GraphElement = StepNode | GroupNode | MarkNode | ShapeNode | StackNode;

/** A graph with its layout and everything that is shown in it. */
export type Drawing = LaidGraph & {
  runs: NodeRuns | undefined;
  /** Steps that the run did not reach, and does not. */
  passed: ReadonlySet<string>;
  edges: EdgeStates;
  marks: StepMarks;
  selected: string | null;
};

/** The nodes of these boxes. Groups can be opened, also where steps cannot be selected. */
export function nodesOf(drawing: Drawing, boxes: readonly Box[], canSelect: boolean): GraphElement[] {
  const items = new Map(drawing.drawn.items.map((item) => [item.id, item]));
  return boxes.map((box) => {
    const item = items.get(box.id);
    return item === undefined ? markNode(box) : nodeOf(drawing, box, item, canSelect);
  });
}

function nodeOf(drawing: Drawing, box: Box, item: DrawnItem, canSelect: boolean): GraphElement {
  const { runs, passed, marks, selected } = drawing;
  if (item.group !== null) {
    const { group } = item;
    return {
      ...placed(box),
      type: "group",
      data: {
        group,
        run: groupRunOf(group, runs, passed),
        marked: markOfGroup(group, marks),
        hasSelected: group.members.some(({ id }) => id === selected),
      },
      // Not `selected` itself: React Flow tells of no click on what is.
      selectable: true,
      focusable: true,
      ariaRole: "button",
      domAttributes: { "aria-roledescription": "group of steps", "aria-expanded": group.isOpen },
    };
  }
  const { step } = item;
  const run = runs?.get(step.id);
  const ahead = runs === undefined ? "idle" : passed.has(step.id) ? "passed" : "ahead";
  return {
    ...placed(box),
    type: "step",
    data: { step, run, standing: run === undefined ? ahead : "run", mark: marks.get(step.id) },
    selected: step.id === selected,
    selectable: canSelect,
    focusable: canSelect,
    ariaRole: "button",
    domAttributes: { "aria-roledescription": "step", "aria-pressed": step.id === selected },
  };
}

function markNode(box: Box): MarkNode {
  const isStart = box.id === START;
  return {
    ...placed(box),
    type: "mark",
    data: { kind: isStart ? "start" : "end", text: isStart ? "" : endName(box.id) },
    selectable: false,
    focusable: false,
  };
}

/** What is around the stacked members of open groups, behind them. */
export function stackNodesOf({ stacks }: Layout): StackNode[] {
  return stacks.map((box) => ({
    ...placed(box),
    id: `[stack] ${box.id}`,
    type: "stack",
    data: {},
    selectable: false,
    focusable: false,
    zIndex: -1,
  }));
}

function placed(box: Box) {
  const { id, x, y, width, height } = box;
  return { id, position: { x, y }, width, height, handles: handles(box) };
}

/** Those of a node that is not rendered, because it is out of view. */
function handles({ width, height }: Box): NodeHandle[] {
  const size = { y: height / 2, width: 1, height: 1 };
  return [
    { type: "target", position: Position.Left, x: 0, ...size },
    { type: "source", position: Position.Right, x: width, ...size },
  ];
}

export function edgesOf(drawing: Drawing, lines: readonly EdgeLine[]): LineEdge[] {
  const names = new Map(drawing.drawn.items.map(({ id, step, group }) => [id, step?.name ?? group?.name ?? id]));
  return linesOf(drawing, lines).map((data) => {
    const { line, state, moving } = data;
    const edge = line.edge === null ? null : { ...line.edge, source: line.source, target: line.target };
    return {
      id: line.id,
      type: "line",
      source: line.source,
      target: line.target,
      data,
      ariaLabel: edgeSentence(names, edge, state),
      markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: lineColor(state, moving) },
      selectable: false,
      focusable: false,
      zIndex: DRAWN_LAST.includes(state) ? 1 : 0,
    };
  });
}

/** How edges stand. */
export function linesOf({ runs, edges }: Drawing, lines: readonly EdgeLine[]): LineEdgeData[] {
  return lines.map((line) => {
    const state = stateOfLine(line, runs, edges);
    return { line, state, moving: isMoving(line, state, runs) };
  });
}

/** Over the others, where they share a line. */
const DRAWN_LAST: readonly LineState[] = ["taken", "only_a", "only_b"];
type LineState = EdgeState | "idle";

function stateOfLine(line: EdgeLine, runs: NodeRuns | undefined, edges: EdgeStates): LineState {
  if (runs === undefined) return "idle";
  if (line.edge === null) return runs.has(line.target) ? "taken" : "unknown";
  return stateOfEdges(line.edges, edges);
}

/** Whether something runs because it was taken. */
function isMoving(line: EdgeLine, state: LineState, runs: NodeRuns | undefined): boolean {
  if (state !== "taken" || runs === undefined) return false;
  const targets = line.edge === null ? [line.target] : line.edges.map((edge) => edge.target);
  return targets.some((target) => runs.get(target)?.status === "running");
}

const LINE_COLORS = {
  not_taken: "light-dark(#d3d8e0, #333a44)",
  open: "light-dark(#98a2b1, #566070)",
  taken: "light-dark(#4c5a6e, #a8b3c2)",
  moving: "var(--ia-status-running)",
  differs: "var(--ia-differs)",
};

function lineColor(state: LineState, moving: boolean): string {
  if (moving) return LINE_COLORS.moving;
  if (state === "only_a" || state === "only_b") return LINE_COLORS.differs;
  return state === "taken" || state === "not_taken" ? LINE_COLORS[state] : LINE_COLORS.open;
}

const [PASSED, AHEAD, MARKED, SELECTED] = [
  "light-dark(#e6e9ee, #262b34)",
  "light-dark(#c3c9d2, #4d5562)",
  "var(--ia-differs)",
  "var(--mantine-primary-color-filled)",
];
/** What is drawn over what, where many steps share a pixel. */
const BOX_COLORS: readonly string[] = [
  PASSED,
  AHEAD,
  ...(
    [
      "skipped",
      "cancelled",
      "completed",
      "pending",
      "waiting",
      "waiting_for_human",
      "running",
      "lost",
      "failed",
    ] as const
  ).map(statusFill),
  MARKED,
  SELECTED,
];

/** All of a graph that has too many steps for a node each; `far`: its steps are too small to be read. */
export function shapeNodesOf(drawing: Drawing, far: boolean): ShapeNode[] {
  const { layout, runs, edges } = drawing;
  const lines = shapesOfLines(layout.lines, Object.values(LINE_COLORS), (line) => {
    const state = stateOfLine(line, runs, edges);
    return lineColor(state, isMoving(line, state, runs));
  });
  const boxes = shapesOfBoxes(layout.boxes, BOX_COLORS, boxColors(drawing));
  return [
    ...lines.map((shape) => shapeNode(layout, "lines", shape, true)),
    ...boxes.map((shape) => shapeNode(layout, "boxes", shape, far)),
  ];
}

function shapeNode({ width, height }: Layout, kind: "boxes" | "lines", shape: Shape, isShown: boolean): ShapeNode {
  return {
    id: shape.id,
    type: "shape",
    position: { x: 0, y: 0 },
    width,
    height,
    handles: [],
    data: { kind, shape, isShown },
    selectable: false,
    focusable: false,
    zIndex: -1,
  };
}

function boxColors(drawing: Drawing): (id: string) => string {
  const items = new Map(drawing.drawn.items.map((item) => [item.id, item]));
  return (id) => {
    const item = items.get(id);
    return item === undefined ? AHEAD : boxColor(drawing, item); // the start and the ends have none
  };
}

function boxColor({ runs, passed, marks, selected }: Drawing, { id, group }: DrawnItem): string {
  if (group === null) {
    if (id === selected) return SELECTED;
    return colorOf(runs?.get(id)?.status ?? null, marks.get(id) ?? null, passed.has(id));
  }
  if (group.isOpen) return AHEAD;
  if (group.members.some((member) => member.id === selected)) return SELECTED;
  const run = groupRunOf(group, runs, passed);
  return colorOf(run === null ? null : statusOfGroup(run), markOfGroup(group, marks)?.mark ?? null, false);
}

function colorOf(status: Status | null, mark: StepMark | null, isPassed: boolean): string {
  if (mark !== null && mark !== "kept") return MARKED;
  if (status !== null) return statusFill(status);
  return isPassed ? PASSED : AHEAD;
}

/** The colour of a node in the small map. */
export function mapColor(node: GraphElement): string {
  if (node.type === "step") {
    const { run, mark, standing } = node.data;
    if (node.selected) return SELECTED;
    return colorOf(run?.status ?? null, mark ?? null, standing === "passed");
  }
  if (node.type !== "group" || node.data.group.isOpen) return AHEAD;
  const { run, marked, hasSelected } = node.data;
  if (hasSelected) return SELECTED;
  return colorOf(run === null ? null : statusOfGroup(run), marked?.mark ?? null, false);
}
