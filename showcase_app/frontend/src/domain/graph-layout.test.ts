import ELK from "elkjs/lib/elk.bundled";
import { describe, expect, it } from "vitest";
import type { GraphEdge, GraphOut } from "@/api/schema.gen";
import { createEdge, type EdgeText, graphOf } from "@/mocks/create-graph";
import { type DrawnGraph, drawnGraph, endsOf } from "./drawn-graph";
import { edgeSentence, nodeSentence, passedBy, START, shortLabel } from "./graph";
import {
  type Box,
  endName,
  expectedHeight,
  firstView,
  frameHeight,
  type Layout,
  layoutOf,
  layoutQuestion,
  middleOf,
  type Orientation,
  roundedPath,
  wholeView,
  wholeZoom,
} from "./graph-layout";

const EDGE = createEdge();

const LOOP = graphOf([
  ["ingest", "validate"],
  ["validate", "publish", "result.quality ≥ 0.995"],
  ["validate", "repair", "a condition that is far too long to be read in one line"],
  ["repair", "validate", "", true],
  ["publish", "end"],
]);

const WIDE = 1000;

async function laid(graph: GraphOut, orientation: Orientation): Promise<Layout> {
  return await laidIn(drawnGraph(graph, new Set()), orientation, WIDE);
}

async function laidIn(drawn: DrawnGraph, orientation: Orientation, width: number): Promise<Layout> {
  return layoutOf(drawn, await new ELK().layout(layoutQuestion(drawn, orientation, width)), width);
}

function areApart(boxes: readonly Box[]): void {
  for (const a of boxes)
    for (const b of boxes) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      expect(a.id === b.id || apart, `${a.id} and ${b.id}`).toBe(true);
    }
}

function box(layout: Layout, id: string) {
  const found = layout.boxes.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no box ${id}`);
  return found;
}

describe("a layout", () => {
  it.each(["right", "down"] as const)(
    "to the %s has every step, the start and the ends, and none over another",
    async (to) => {
      const { boxes } = await laid(LOOP, to);
      expect(boxes.map(({ id }) => id).sort()).toEqual(
        [START, "end", "ingest", "publish", "repair", "validate"].sort(),
      );
      areApart(boxes);
    },
  );

  it.each([
    [260, 1],
    [334, 1],
    [400, 2],
    [600, 3],
  ])("in a frame of %i pixels has an open group of sixty in %i columns, all of it within", async (width, columns) => {
    const ids = Array.from({ length: 60 }, (_, number) => `w${number}`);
    const edges = ids.flatMap((id): EdgeText[] => [
      ["split", id],
      [id, "join"],
    ]);
    const graph = graphOf(edges);
    const nodes = graph.nodes.map((node) => ({ ...node, step_class: node.id.startsWith("w") ? "Worker" : node.id }));
    const drawn = drawnGraph({ ...graph, nodes }, new Set(["[group] w0"]), { isStacked: true });
    const layout = await laidIn(drawn, "down", width);
    expect(layout.boxes).toHaveLength(60 + 4); // and the head, the start, the split and the join
    areApart(layout.boxes);
    expect(new Set(ids.map((id) => box(layout, id).x)).size).toBe(columns);
    const { zoom, x } = firstView(layout, width, 420, "down");
    for (const each of layout.boxes) {
      expect(each.x * zoom + x).toBeGreaterThanOrEqual(0);
      expect((each.x + each.width) * zoom + x).toBeLessThanOrEqual(width);
    }
    expect(box(layout, "split").y).toBeLessThan(box(layout, "[group] w0").y);
    expect(box(layout, "w59").y).toBeLessThan(box(layout, "join").y);
    expect(layout.stacks.map(({ id }) => id)).toEqual(["[group] w0"]);
  });

  it("follows the edges, and not those that lead back", async () => {
    const [right, down] = await Promise.all([laid(LOOP, "right"), laid(LOOP, "down")]);
    for (const [before, after] of [
      ["ingest", "validate"],
      ["validate", "repair"],
      ["validate", "publish"],
    ] as const) {
      expect(box(right, before).x).toBeLessThan(box(right, after).x);
      expect(box(down, before).y).toBeLessThan(box(down, after).y);
    }
  });

  it("draws each edge between its steps and puts its label on it", async () => {
    const { lines } = await laid(LOOP, "right");
    expect(lines).toHaveLength(LOOP.edges.length + 1);
    for (const line of lines) expect(line.points.length).toBeGreaterThanOrEqual(2);
    expect(lines.filter((line) => line.labelAt !== null).map((line) => line.edge?.target)).toEqual([
      "publish",
      "repair",
    ]);
    expect(lines.find((line) => line.edge === null)).toMatchObject({ source: START, target: "ingest" });
  });
});

describe("the first view", () => {
  const flat = (width: number): Layout => ({
    boxes: [{ id: START, x: 8, y: 40, width: 56, height: 26 }],
    lines: [],
    width,
    height: 100,
    stacks: [],
  });

  it("is all of a graph that can be read then, in the middle", () => {
    expect(firstView(flat(400), 800, 300, "right")).toEqual({ x: 200, y: 100, zoom: 1 });
    expect(firstView(flat(1000), 800, 300, "right").zoom).toBeCloseTo(0.776);
  });

  it("is never one of nothing, while there is no room for it", () => {
    for (const room of [0, 10, 24]) expect(wholeZoom(flat(400), room, room)).toBeGreaterThan(0);
    expect(wholeView(flat(400), 424, 300)).toEqual({ x: 12, y: 100, zoom: 1 });
  });

  it("has a chosen step in the middle, and moves across only where the graph is wider than the frame", () => {
    const chosen = { id: "a", x: 300, y: 700, width: 40, height: 20 };
    expect(middleOf(chosen, { ...flat(400), height: 900 }, 1, 400, 300)).toEqual({ x: 200, y: 710 });
    expect(middleOf(chosen, { ...flat(401), height: 900 }, 1, 400, 900)).toEqual({ x: 320, y: 450 });
  });

  it("is the beginning of one that is too long", () => {
    expect(firstView(flat(90_000), 800, 300, "right")).toEqual({ x: 12, y: 110, zoom: 0.8 });
  });
});

describe("the frame", () => {
  const sized = (width: number, height: number): Layout => ({ boxes: [], lines: [], width, height, stacks: [] });

  it("is as high as the graph in it, within limits", () => {
    expect(frameHeight(sized(800, 300), 1000)).toBe(324);
    expect(frameHeight(sized(1600, 400), 1304)).toBe(344); // at 0.8
    expect([frameHeight(sized(300, 64), 1000), frameHeight(sized(300, 2000), 1000)]).toEqual([220, 420]);
    expect(frameHeight(sized(90_000, 300), 1000)).toBe(264); // its beginning, at 0.8
  });

  it("is expected to hold the steps that stand side by side", () => {
    const wide = graphOf([...["b", "c", "d", "e"].map((id): [string, string] => ["a", id]), ["e", "f"], ["b", "f"]]);
    const height = (graph: GraphOut, width: number, to: Orientation) =>
      expectedHeight(drawnGraph(graph, new Set()), width, to);
    expect(height(wide, 1000, "right")).toBe(368);
    expect(height(wide, 492, "right")).toBe(300); // at 0.8
    expect([height(LOOP, 1000, "right"), height(LOOP, 340, "down")]).toEqual([220, 420]);
  });
});

it("an end is called what its id says", () => {
  expect(["end", "end_rejected", "end_not_ordered"].map(endName)).toEqual(["", "Rejected", "Not ordered"]);
});

it("a path has round corners, and straight lines none", () => {
  expect(
    roundedPath([
      { x: 0, y: 0 },
      { x: 10, y: 0 },
    ]),
  ).toBe("M 0 0 L 10 0");
  expect(
    roundedPath(
      [
        { x: 0, y: 0 },
        { x: 20, y: 0 },
        { x: 20, y: 20 },
      ],
      5,
    ),
  ).toBe("M 0 0 L 15 0 Q 20 0 20 5 L 20 20");
  expect(roundedPath([])).toBe("");
});

it("ends are told once each", () => {
  expect(
    endsOf(
      graphOf([
        ["a", "end"],
        ["a", "end_rejected"],
        ["b", "end"],
      ]),
    ),
  ).toEqual(["end", "end_rejected"]);
});

it("a step is passed by when no edge to it was taken", () => {
  const graph = graphOf([
    ["a", "b"],
    ["a", "c"],
    ["b", "d"],
    ["c", "d"],
  ]);
  expect(
    passedBy(
      graph,
      new Map(),
      new Map([
        [0, "taken"],
        [1, "not_taken"],
      ]),
    ),
  ).toEqual(new Set(["c"]));
  expect(passedBy(graph, new Map(), new Map())).toEqual(new Set());
});

it("a step is one sentence for those who do not see it", () => {
  const [node] = LOOP.nodes;
  if (node === undefined) throw new Error("the loop has no steps");
  const run = {
    attempt: 2,
    progress: null,
    fellBack: false,
    copied: false,
    row: null,
  } as const;
  expect(nodeSentence(node, undefined)).toBe("ingest");
  const times = { attempts: 3, begun: true, ranMs: 1250, waitedMs: 80, open: [] };
  expect(nodeSentence(node, { ...run, status: "completed", iteration: 2, maxIterations: 5, times })).toBe(
    "ingest, Completed, run time 1.3 s, iteration 2 of at most 5, attempt 2",
  );
});

it("a condition is drawn with the names of its parameters", () => {
  const label = 'result.score ≥ "{parameters.pass_score}" and x < {parameters.limit.low}';
  expect(shortLabel({ ...EDGE, label })).toBe("result.score ≥ pass_score and x < limit.low");
});

it("where the first path is taken, each says its place, and one that ends the execution says so", () => {
  const [first, second] = [
    { ...EDGE, label: "score < 1", order: 1 },
    { ...EDGE, target: "end", order: 2, ends_execution: true },
  ];
  expect(shortLabel(first)).toBe("1. score < 1");
  expect(shortLabel(second)).toBe("2. always, ends the execution");
  expect(shortLabel(EDGE)).toBe("");
  expect(edgeSentence(new Map([["a", "A"]]), second, "taken")).toBe(
    "From A to the end, choice 2, ends the execution, taken",
  );
});

it("an edge is one sentence as well", () => {
  const names = new Map([
    ["validate", "Validate"],
    ["repair", "Repair"],
  ]);
  const [, , repair, , last] = LOOP.edges;
  expect(edgeSentence(names, { ...(repair as GraphEdge), label: "score < 1" }, "not_taken")).toBe(
    "From Validate to Repair, if score < 1, not taken",
  );
  expect(edgeSentence(new Map([["publish", "Publish"]]), last as GraphEdge, "idle")).toBe("From Publish to the end");
  expect(edgeSentence(names, null, "taken")).toBe("From the start");
});
