/** A graph of so many steps that not each can have elements of its own: a few shapes of one colour each. Pure. */
import { type Box, type EdgeLine, LARGE, type Layout, roundedPath, type View } from "./graph-layout";

/** What has one colour. */
export type Shape = { id: string; color: string; path: string };
/** A rectangle in the coordinates of a layout. */
export type Area = { x: number; y: number; width: number; height: number };

/** Below this zoom no name can be read. */
export const FAR_ZOOM = 0.3;

/** Whether only what is in view is drawn with elements of its own, and the rest as shapes. */
export function isDrawnAsShapes(layout: Layout): boolean {
  return layout.boxes.length > LARGE;
}

/** Boxes by colour, in the order of the colours: the last are seen where they lie over others. */
export function shapesOfBoxes(
  boxes: readonly Box[],
  colors: readonly string[],
  colorOf: (id: string) => string,
): Shape[] {
  return shapesOf("boxes", boxes, colors, ({ id }) => colorOf(id), pathOfBox);
}

/** Lines with their arrowheads, by colour. */
export function shapesOfLines(
  lines: readonly EdgeLine[],
  colors: readonly string[],
  colorOf: (line: EdgeLine) => string,
): Shape[] {
  return shapesOf("lines", lines, colors, colorOf, pathOfLine);
}

function shapesOf<Item>(
  kind: string,
  items: readonly Item[],
  colors: readonly string[],
  colorOf: (item: Item) => string,
  pathOf: (item: Item) => string,
): Shape[] {
  const paths = new Map<string, string[]>(colors.map((color) => [color, []]));
  for (const item of items) paths.get(colorOf(item))?.push(pathOf(item));
  return [...paths].flatMap(([color, path]) =>
    path.length === 0 ? [] : [{ id: `[${kind}] ${color}`, color, path: path.join("") }],
  );
}

export function pathOfBox({ x, y, width, height }: Box): string {
  return `M${x} ${y}h${width}v${height}h${-width}z`;
}

const HEAD = 9;
const known = new WeakMap<EdgeLine, string>();

/** Made once for each line: its colour changes, its way does not. */
function pathOfLine(line: EdgeLine): string {
  let path = known.get(line);
  if (path === undefined) {
    path = roundedPath(line.points) + arrowhead(line);
    known.set(line, path);
  }
  return path;
}

function arrowhead({ points }: EdgeLine): string {
  const [before, end] = points.slice(-2);
  if (before === undefined || end === undefined) return "";
  const length = Math.hypot(end.x - before.x, end.y - before.y) || 1;
  const [x, y] = [((end.x - before.x) / length) * HEAD, ((end.y - before.y) / length) * HEAD];
  return `M${end.x - x - y / 2} ${end.y - y + x / 2}L${end.x} ${end.y}L${end.x - x + y / 2} ${end.y - y - x / 2}`;
}

/**
 * The part of a layout around what is in view: at least all of it, at most four times as much in each direction, and the
 * same while the view moves little.
 */
export function areaAround({ x, y, zoom }: View, width: number, height: number): Area {
  const cell = 2 ** -Math.floor(Math.log2(zoom)); // pixels of the layout for one on the screen, and up to twice that
  const [across, down] = [Math.max(1, width) * cell, Math.max(1, height) * cell];
  const [left, top] = [Math.floor(-x / zoom / across), Math.floor(-y / zoom / down)];
  return { x: left * across, y: top * down, width: 2 * across, height: 2 * down };
}

export function isInArea(box: Area, area: Area): boolean {
  return (
    box.x + box.width >= area.x &&
    box.y + box.height >= area.y &&
    box.x <= area.x + area.width &&
    box.y <= area.y + area.height
  );
}

/** The box at a point, or the nearest within `reach`; null: there is none. */
export function boxAt(boxes: readonly Box[], point: { x: number; y: number }, reach: number): Box | null {
  let nearest: Box | null = null;
  let least = reach;
  for (const box of boxes) {
    const across = Math.max(box.x - point.x, 0, point.x - box.x - box.width);
    const down = Math.max(box.y - point.y, 0, point.y - box.y - box.height);
    const distance = Math.hypot(across, down);
    if (distance <= least) [nearest, least] = [box, distance];
  }
  return nearest;
}
