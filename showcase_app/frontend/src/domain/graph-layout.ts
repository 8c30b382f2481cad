/** Where steps and edges are drawn: the request to ELK, and its answer as positions and paths. Statuses play no part. */
import type { ElkExtendedEdge, ElkNode, ElkPoint } from "elkjs/lib/elk-api";
import type { GraphEdge, GraphNode } from "@/api/schema.gen";
import type { DrawnGraph, DrawnItem } from "./drawn-graph";
import { edgeText, START, shortLabel } from "./graph";

export type Orientation = "right" | "down";
export type Box = { id: string; x: number; y: number; width: number; height: number };
/** An edge as it is drawn. */
export type EdgeLine = {
  id: string;
  source: string;
  target: string;
  /** The edge of the definition, the first of those that are drawn as one; null: from the start to the first step. */
  edge: GraphEdge | null;
  /** All that are drawn as this one. */
  edges: readonly GraphEdge[];
  points: readonly ElkPoint[];
  /** The middle of its label; null without one. */
  labelAt: ElkPoint | null;
};
export type Layout = {
  boxes: readonly Box[];
  lines: readonly EdgeLine[];
  width: number;
  height: number;
  /** Around the head and the members of each open group, where these are stacked. */
  stacks: readonly Box[];
};

const STEP_SIZE = { width: 152, height: 66 };
const MAPPED_WIDTH = 236; // with a ring, and how many items are done and have failed
const GROUP_SIZE = { width: 212, height: 66 };
const HEAD_SIZE = { width: 212, height: 30 };
const MARK_SIZE = { width: 28, height: 28 };
const EDGE_OF_LAYOUT = 8;
export const LABEL_WIDTH = 128;
const LABEL_LINE = 16;
/** Of this many steps on, a layout that is there in a second is worth more than one with fewer bends. */
export const LARGE = 150;
const NEAT = { "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX" };
const QUICK = { "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF", "elk.layered.thoroughness": "1" };
const INLINE = { "elk.edgeLabels.inline": "true" }; // on its line, not beside it
const CHARACTER = 6.4; // of the font of labels, on average
const DIGIT = 7.6; // of that of facts
const LOOPING_WIDTH = 147; // with a long time, icons and gaps, without the numbers of iterations
const ATTEMPT_WIDTH = 32;
const MARK_CHARACTER = 7.6;

/**
 * The request to ELK. Steps keep the order of the file; edges back go around; what leads the same way shares a line.
 * `frameWidth` is that of the frame in pixels: stacked members stand in as many columns as it has room for.
 */
export function layoutQuestion(graph: DrawnGraph, orientation: Orientation, frameWidth: number): ElkNode {
  const stacks = stacksOf(graph, frameWidth);
  const isInStack = ({ id }: DrawnItem) => graph.isStacked && graph.groups.get(id)?.isOpen === true;
  const mark = (id: string) => ({ id, ...markSize(id) });
  const start: ElkExtendedEdge = { id: START, sources: [START], targets: [graph.startAt] };
  return {
    id: "graph",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": orientation === "right" ? "RIGHT" : "DOWN",
      "elk.edgeRouting": "ORTHOGONAL",
      "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
      "elk.layered.feedbackEdges": "true",
      "elk.layered.mergeEdges": "true",
      ...(graph.items.length > LARGE ? QUICK : NEAT),
      "elk.layered.nodePlacement.favorStraightEdges": "true",
      "elk.layered.spacing.nodeNodeBetweenLayers": orientation === "right" ? "26" : "30",
      "elk.layered.spacing.edgeNodeBetweenLayers": "14",
      "elk.spacing.nodeNode": orientation === "right" ? "20" : "22",
      "elk.spacing.edgeNode": "14",
      "elk.spacing.edgeLabel": "4",
      "elk.padding": `[top=${EDGE_OF_LAYOUT},left=${EDGE_OF_LAYOUT},bottom=${EDGE_OF_LAYOUT},right=${EDGE_OF_LAYOUT}]`,
    },
    children: [
      mark(START),
      ...graph.items
        .filter((item) => !isInStack(item))
        .map((item) => ({ id: item.id, ...(stacks.get(item.id)?.size ?? sizeOf(item)) })),
      ...graph.ends.map(mark),
    ],
    edges: [
      start,
      ...graph.edges.map(({ source, target, edges: [edge] }, place) => ({
        id: String(place),
        sources: [source],
        targets: [target],
        labels:
          edge === undefined || edgeText(edge) === ""
            ? []
            : [{ text: edgeText(edge), ...labelSize(shortLabel(edge)), layoutOptions: INLINE }],
        layoutOptions: { "elk.layered.priority.direction": edge?.is_back_edge ? "0" : "10" },
      })),
    ],
  };
}

/** ELK's answer in our words; `frameWidth` as in the request. */
export function layoutOf(graph: DrawnGraph, answer: ElkNode, frameWidth: number): Layout {
  const stacks = stacksOf(graph, frameWidth);
  const blocks = (answer.children ?? []).map(({ id, x = 0, y = 0, width = 0, height = 0 }) => ({
    id,
    x,
    y,
    width,
    height,
  }));
  const boxes = blocks.flatMap((block) => {
    const stack = stacks.get(block.id);
    return stack === undefined ? [block] : stackedIn(block, stack);
  });
  const lines = (answer.edges ?? []).flatMap((drawn): EdgeLine[] => {
    const edges = drawn.id === START ? [] : (graph.edges[Number(drawn.id)]?.edges ?? []);
    if (drawn.id !== START && edges.length === 0) return []; // it only held the head of a group in its place
    const label = drawn.labels?.[0];
    const line = {
      id: drawn.id,
      source: drawn.sources[0] ?? START,
      target: drawn.targets[0] ?? graph.startAt,
      edge: edges[0] ?? null,
      edges,
      points: (drawn.sections ?? []).flatMap((part) => [part.startPoint, ...(part.bendPoints ?? []), part.endPoint]),
      labelAt:
        label === undefined
          ? null
          : { x: (label.x ?? 0) + (label.width ?? 0) / 2, y: (label.y ?? 0) + (label.height ?? 0) / 2 },
    };
    return [line];
  });
  const around = blocks.filter(({ id }) => stacks.has(id));
  return { boxes, lines, width: answer.width ?? 0, height: answer.height ?? 0, stacks: around };
}

/** The members of an open group in rows below its head. */
type Stack = { members: readonly GraphNode[]; columns: number; cell: Size; size: Size };
type Size = { width: number; height: number };

const STACK_GAP = 14;

/** By the id of the group; none where nothing is stacked. */
function stacksOf({ isStacked, groups }: DrawnGraph, frameWidth: number): Map<string, Stack> {
  const open = isStacked ? [...new Set(groups.values())].filter((group) => group.isOpen) : [];
  return new Map(open.map(({ id, members }) => [id, stackOf(members, frameWidth)]));
}

function stackOf(members: readonly GraphNode[], frameWidth: number): Stack {
  const cell = { width: Math.max(...members.map((step) => stepSize(step).width)), height: STEP_SIZE.height };
  const room = frameWidth - 2 * PADDING - 2 * EDGE_OF_LAYOUT; // as large as it may be looked at
  const columns = Math.max(1, Math.floor((room - STACK_GAP) / (cell.width + STACK_GAP)));
  const rows = Math.ceil(members.length / columns);
  const width = Math.max(HEAD_SIZE.width, columns * (cell.width + STACK_GAP) - STACK_GAP) + 2 * STACK_GAP;
  const height = HEAD_SIZE.height + rows * (cell.height + STACK_GAP) + STACK_GAP;
  return { members, columns, cell, size: { width, height } };
}

/** The boxes of the head, in the middle so that it can stay where the closed group was, and of the members. */
function stackedIn({ id, x, y, width }: Box, { members, columns, cell }: Stack): Box[] {
  const rowWidth = columns * (cell.width + STACK_GAP) - STACK_GAP;
  const left = x + (width - rowWidth) / 2;
  const top = y + HEAD_SIZE.height + STACK_GAP;
  const head = { id, x: x + (width - HEAD_SIZE.width) / 2, y, ...HEAD_SIZE };
  return [
    head,
    ...members.map((step, place) => ({
      id: step.id,
      x: left + (place % columns) * (cell.width + STACK_GAP),
      y: top + Math.floor(place / columns) * (cell.height + STACK_GAP),
      ...cell,
    })),
  ];
}

export type View = { x: number; y: number; zoom: number };

const PADDING = 12;
const READABLE = 0.65;
const FIRST_ZOOM = 0.8;
const LOWEST = 220;
const HIGHEST = 420;
const COLUMN = 205; // of steps, with the edges and labels between them, on average

/** How high the frame of a layout is, in pixels, so that it is filled and does not fill the screen. */
export function frameHeight(layout: Layout, width: number): number {
  const whole = Math.min((width - 2 * PADDING) / layout.width, 1);
  const height = Math.ceil(layout.height * (whole >= READABLE ? whole : FIRST_ZOOM)) + 2 * PADDING;
  return Math.min(HIGHEST, Math.max(LOWEST, height));
}

const MOST_ROUNDS = 50;

/** About as high as the frame will be, known before there is a layout: from the most steps that stand side by side. */
export function expectedHeight(graph: DrawnGraph, width: number, orientation: Orientation): number {
  if (orientation === "down") return HIGHEST;
  const column = new Map([[graph.startAt, 0]]);
  const forward = graph.edges.filter(({ edges }) => !edges[0]?.is_back_edge);
  for (let moved = true, rounds = 0; moved && rounds < MOST_ROUNDS; rounds += 1) {
    moved = false;
    for (const { source, target } of forward) {
      const next = (column.get(source) ?? 0) + 1;
      if (next > (column.get(target) ?? 0)) moved = column.set(target, next) !== undefined;
    }
  }
  const inColumn = new Map<number, number>();
  for (const { id } of graph.items) {
    const at = column.get(id) ?? 0;
    inColumn.set(at, (inColumn.get(at) ?? 0) + 1);
  }
  const whole = Math.min(1, width / (inColumn.size * COLUMN));
  const most = [...inColumn.values()].reduce((one, other) => Math.max(one, other), 1);
  const height = Math.ceil(most * (STEP_SIZE.height + 20) * (whole >= READABLE ? whole : FIRST_ZOOM)) + 2 * PADDING;
  return Math.min(HIGHEST, Math.max(LOWEST, height));
}

/** How a layout is first looked at: all of it where that can be read, otherwise its beginning. */
export function firstView(layout: Layout, width: number, height: number, orientation: Orientation): View {
  const whole = wholeZoom(layout, width, height);
  if (whole >= READABLE) {
    return { x: (width - layout.width * whole) / 2, y: (height - layout.height * whole) / 2, zoom: whole };
  }
  const start = layout.boxes.find((box) => box.id === START) ?? { x: 0, y: 0, width: 0, height: 0 };
  // Across the direction of the graph: the middle where it fits, otherwise the start in the middle.
  const across = (all: number, at: number, room: number) =>
    all * FIRST_ZOOM <= room ? (room - all * FIRST_ZOOM) / 2 : room / 2 - at * FIRST_ZOOM;
  return orientation === "right"
    ? { x: PADDING, y: across(layout.height, start.y + start.height / 2, height), zoom: FIRST_ZOOM }
    : { x: across(layout.width, start.x + start.width / 2, width), y: PADDING, zoom: FIRST_ZOOM };
}

const LEAST_ZOOM = 0.0005; // also where there is no room yet: a zoom is never 0

/** The zoom at which all of it is seen, at most 1. */
export function wholeZoom(layout: Layout, width: number, height: number): number {
  const zoom = Math.min((width - 2 * PADDING) / layout.width, (height - 2 * PADDING) / layout.height, 1);
  return Math.max(zoom, LEAST_ZOOM);
}

/** Whether it is too large to be read as a whole. */
export function isBeyondView(layout: Layout, width: number, height: number): boolean {
  return wholeZoom(layout, width, height) < READABLE;
}

/** How all of it is looked at. */
export function wholeView(layout: Layout, width: number, height: number): View {
  const zoom = wholeZoom(layout, width, height);
  return { x: (width - layout.width * zoom) / 2, y: (height - layout.height * zoom) / 2, zoom };
}

/** What to look at so that a box is in the middle; where the layout has room across or down, that stays whole. */
export function middleOf(box: Box, layout: Layout, zoom: number, width: number, height: number): ElkPoint {
  return {
    x: layout.width * zoom <= width ? layout.width / 2 : box.x + box.width / 2,
    y: layout.height * zoom <= height ? layout.height / 2 : box.y + box.height / 2,
  };
}

/** The view in which a box stands where it stood before the layout was another one. */
export function viewKeeping(before: Box, after: Box, view: View): View {
  return { ...view, x: view.x + (before.x - after.x) * view.zoom, y: view.y + (before.y - after.y) * view.zoom };
}

/** A path of straight lines with round corners through the points. */
export function roundedPath(points: readonly ElkPoint[], radius = 7): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  const parts = [`M ${first.x} ${first.y}`];
  let before = first;
  rest.forEach((point, place) => {
    const after = rest[place + 1];
    if (after === undefined) {
      parts.push(`L ${point.x} ${point.y}`);
      return;
    }
    const from = towards(point, before, radius);
    const to = towards(point, after, radius);
    parts.push(`L ${from.x} ${from.y} Q ${point.x} ${point.y} ${to.x} ${to.y}`);
    before = point;
  });
  return parts.join(" ");
}

/** The point that is `distance` away from a corner, at most half way to the next. */
function towards(corner: ElkPoint, other: ElkPoint, distance: number): ElkPoint {
  const length = Math.hypot(other.x - corner.x, other.y - corner.y);
  if (length === 0) return corner;
  const share = Math.min(distance, length / 2) / length;
  return { x: corner.x + (other.x - corner.x) * share, y: corner.y + (other.y - corner.y) * share };
}

/** `end_rejected` reads Rejected; the plain end needs no name. */
export function endName(id: string): string {
  const name = id.replace(/^end_?/, "").replaceAll("_", " ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function sizeOf({ step, group }: DrawnItem) {
  if (step !== null) return stepSize(step);
  return group.isOpen ? HEAD_SIZE : GROUP_SIZE;
}

/** In a loop it is wide enough for all its facts: how long, which iteration of how many, which attempt, its status. */
function stepSize({ max_iterations, retry_max_attempts, map_over }: GraphNode) {
  const least = map_over === null ? STEP_SIZE.width : MAPPED_WIDTH;
  if (max_iterations <= 1) return { ...STEP_SIZE, width: least };
  const iterations = (2 * String(max_iterations).length + 1) * DIGIT;
  const width = Math.ceil(LOOPING_WIDTH + iterations + (retry_max_attempts > 1 ? ATTEMPT_WIDTH : 0));
  return { ...STEP_SIZE, width: Math.max(least, width) };
}

/** A round mark, or as wide as its name. */
function markSize(id: string) {
  const name = id === START ? "" : endName(id);
  return { ...MARK_SIZE, width: MARK_SIZE.width + (name === "" ? 0 : Math.ceil(name.length * MARK_CHARACTER) + 6) };
}

/** One line, or two for a long one; what does not fit in two is cut when it is drawn. */
function labelSize(label: string) {
  const width = Math.ceil(label.length * CHARACTER) + 16;
  const lines = width > LABEL_WIDTH ? 2 : 1;
  return { width: Math.min(LABEL_WIDTH, width), height: lines * LABEL_LINE + 4 };
}
