/** Where steps and edges are drawn: the request to ELK, and its answer as positions and paths. Statuses play no part. */
import type { ElkExtendedEdge, ElkNode, ElkPoint } from "elkjs/lib/elk-api";
import type { GraphEdge, GraphOut } from "@/api/schema.gen";
import { edgeText, endsOf, START, shortLabel } from "./graph";

export type Orientation = "right" | "down";
export type Box = { id: string; x: number; y: number; width: number; height: number };
/** An edge as it is drawn. */
export type EdgeLine = {
  id: string;
  source: string;
  target: string;
  /** The edge of the definition; null: from the start to the first step. */
  edge: GraphEdge | null;
  points: readonly ElkPoint[];
  /** The middle of its label; null without one. */
  labelAt: ElkPoint | null;
};
export type Layout = { boxes: readonly Box[]; lines: readonly EdgeLine[]; width: number; height: number };

export const STEP_SIZE = { width: 152, height: 66 };
const MARK_SIZE = { width: 28, height: 28 };
export const LABEL_WIDTH = 128;
const LABEL_LINE = 16;
/** Of this many steps on, a layout that is there in a second is worth more than one with fewer bends. */
const LARGE = 150;
const NEAT = { "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX" };
const QUICK = { "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF", "elk.layered.thoroughness": "1" };
const INLINE = { "elk.edgeLabels.inline": "true" }; // on its line, not beside it
const CHARACTER = 6.4; // of the font of labels, on average
const MARK_CHARACTER = 7.6;

/** The request to ELK. Steps keep the order of the file; edges back go around. */
export function layoutQuestion(graph: GraphOut, orientation: Orientation): ElkNode {
  const step = (id: string) => ({ id, ...STEP_SIZE });
  const mark = (id: string) => ({ id, ...markSize(id) });
  const start: ElkExtendedEdge = { id: START, sources: [START], targets: [graph.start_at] };
  return {
    id: "graph",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": orientation === "right" ? "RIGHT" : "DOWN",
      "elk.edgeRouting": "ORTHOGONAL",
      "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
      "elk.layered.feedbackEdges": "true",
      ...(graph.nodes.length > LARGE ? QUICK : NEAT),
      "elk.layered.nodePlacement.favorStraightEdges": "true",
      "elk.layered.spacing.nodeNodeBetweenLayers": orientation === "right" ? "26" : "30",
      "elk.layered.spacing.edgeNodeBetweenLayers": "14",
      "elk.spacing.nodeNode": orientation === "right" ? "20" : "22",
      "elk.spacing.edgeNode": "14",
      "elk.spacing.edgeLabel": "4",
      "elk.padding": "[top=8,left=8,bottom=8,right=8]",
    },
    children: [mark(START), ...graph.nodes.map((node) => step(node.id)), ...endsOf(graph).map(mark)],
    edges: [
      start,
      ...graph.edges.map((edge, place) => ({
        id: String(place),
        sources: [edge.source],
        targets: [edge.target],
        labels:
          edgeText(edge) === ""
            ? []
            : [{ text: edgeText(edge), ...labelSize(shortLabel(edge)), layoutOptions: INLINE }],
        layoutOptions: { "elk.layered.priority.direction": edge.is_back_edge ? "0" : "10" },
      })),
    ],
  };
}

/** ELK's answer in our words. */
export function layoutOf(graph: GraphOut, answer: ElkNode): Layout {
  const boxes = (answer.children ?? []).map(({ id, x = 0, y = 0, width = 0, height = 0 }) => ({
    id,
    x,
    y,
    width,
    height,
  }));
  const lines = (answer.edges ?? []).map((drawn): EdgeLine => {
    const edge = drawn.id === START ? null : (graph.edges[Number(drawn.id)] ?? null);
    const label = drawn.labels?.[0];
    return {
      id: drawn.id,
      source: drawn.sources[0] ?? START,
      target: drawn.targets[0] ?? graph.start_at,
      edge,
      points: (drawn.sections ?? []).flatMap((part) => [part.startPoint, ...(part.bendPoints ?? []), part.endPoint]),
      labelAt:
        label === undefined
          ? null
          : { x: (label.x ?? 0) + (label.width ?? 0) / 2, y: (label.y ?? 0) + (label.height ?? 0) / 2 },
    };
  });
  return { boxes, lines, width: answer.width ?? 0, height: answer.height ?? 0 };
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

/** About as high as the frame will be, known before there is a layout: from the most steps that stand side by side. */
export function expectedHeight(graph: GraphOut, width: number, orientation: Orientation): number {
  if (orientation === "down") return HIGHEST;
  const column = new Map([[graph.start_at, 0]]);
  const forward = graph.edges.filter((edge) => !edge.is_back_edge);
  for (let moved = true, rounds = 0; moved && rounds < graph.nodes.length; rounds += 1) {
    moved = false;
    for (const { source, target } of forward) {
      const next = (column.get(source) ?? 0) + 1;
      if (next > (column.get(target) ?? 0)) moved = column.set(target, next) !== undefined;
    }
  }
  const inColumn = new Map<number, number>();
  for (const { id } of graph.nodes) {
    const at = column.get(id) ?? 0;
    inColumn.set(at, (inColumn.get(at) ?? 0) + 1);
  }
  const whole = Math.min(1, width / (inColumn.size * COLUMN));
  const rows = Math.max(...inColumn.values(), 1) * (STEP_SIZE.height + 20);
  const height = Math.ceil(rows * (whole >= READABLE ? whole : FIRST_ZOOM)) + 2 * PADDING;
  return Math.min(HIGHEST, Math.max(LOWEST, height));
}

/** How a layout is first looked at: all of it where that can be read, otherwise its beginning. */
export function firstView(layout: Layout, width: number, height: number, orientation: Orientation): View {
  const whole = Math.min((width - 2 * PADDING) / layout.width, (height - 2 * PADDING) / layout.height, 1);
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
