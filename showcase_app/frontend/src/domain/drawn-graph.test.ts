import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GraphOut } from "@/api/schema.gen";
import { createNode, type EdgeText, graphOf } from "@/mocks/create-graph";
import { drawnGraph, endsOf, FEWEST_FOLDED, type StepGroup } from "./drawn-graph";

const CLOSED: ReadonlySet<string> = new Set();

/** `count` workers between `split` and `join`; every other step has a class of its own. */
function fan(count: number, classOf: (id: string) => string | null = workerOr): GraphOut {
  const ids = Array.from({ length: count }, (_, number) => `w${number}`);
  const edges = ids.flatMap((id): EdgeText[] => [
    ["split", id],
    [id, "join"],
  ]);
  return classed(graphOf([...edges, ["join", "end"]]), classOf);
}

function workerOr(id: string): string {
  return /^w\d+$/.test(id) ? "Worker" : id;
}

function classed(graph: GraphOut, classOf: (id: string) => string | null): GraphOut {
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, step_class: classOf(node.id) })) };
}

const namesOf = (graph: GraphOut, open = CLOSED) =>
  drawnGraph(graph, open).items.map(({ id, group }) => group?.name ?? id);

describe("parallel steps of one kind", () => {
  it("are one group, with one edge from each source and to each target", () => {
    const drawn = drawnGraph(fan(60), CLOSED);
    expect(drawn.items.map(({ id, group }) => group?.name ?? id)).toEqual(["split", "60 × Worker", "join"]);
    expect(drawn.edges.map(({ source, target, edges }) => [source, target, edges.length])).toEqual([
      ["split", "[group] w0", 60],
      ["[group] w0", "join", 60],
      ["join", "end", 1],
    ]);
  });

  it("stand below the head of their group while it is open", () => {
    const drawn = drawnGraph(fan(6), new Set(["[group] w0"]));
    expect(drawn.items.map(({ id }) => id)).toEqual([
      "split",
      "[group] w0",
      ...["w0", "w1", "w2", "w3", "w4", "w5"],
      "join",
    ]);
    const ofHead = drawn.edges.filter(({ source, target }) => [source, target].includes("[group] w0"));
    expect(ofHead).toEqual([
      { source: "split", target: "[group] w0", edges: [] },
      { source: "[group] w0", target: "join", edges: [] },
    ]);
  });

  it("stand below the head of their group as one block with one edge to it and one from it, where they are stacked", () => {
    const drawn = drawnGraph(fan(6), new Set(["[group] w0"]), { isStacked: true });
    expect(drawn.items.map(({ id }) => id)).toContain("w5");
    expect(drawn.edges.map(({ source, target, edges }) => [source, target, edges.length])).toEqual([
      ["split", "[group] w0", 6],
      ["[group] w0", "join", 6],
      ["join", "end", 1],
    ]);
  });

  it.each<[string, GraphOut]>([
    ["are too few", fan(FEWEST_FOLDED - 1)],
    ["are of different classes", fan(60, (id) => id)],
    ["have no class", fan(60, () => null)],
    ["are taken on different conditions", conditional(60, (number) => `x = ${number}`)],
  ])("stay apart when they %s", (_, graph) => {
    expect(namesOf(graph)).toEqual(graph.nodes.map(({ id }) => id));
  });

  it("are folded when they are taken on one condition", () => {
    expect(namesOf(conditional(60, () => "x"))).toEqual(["split", "60 × Worker"]);
  });

  it("stay apart when one of them leads elsewhere, or another module has the class", () => {
    const elsewhere = fan(6);
    elsewhere.edges.push({ ...(elsewhere.edges[0] ?? fail()), index: 99, source: "w3", target: "end_early" });
    expect(namesOf(elsewhere)).toEqual(["split", "5 × Worker", "w3", "join"]);
    const modules = fan(6);
    modules.nodes = modules.nodes.map((node) => (node.id === "w0" ? { ...node, module: "other" } : node));
    expect(namesOf(modules)).toEqual(["split", "w0", "5 × Worker", "join"]);
  });
});

function conditional(count: number, condition: (number: number) => string): GraphOut {
  const edges = Array.from({ length: count }, (_, number): EdgeText => ["split", `w${number}`, condition(number)]);
  return classed(graphOf(edges), workerOr);
}

function fail(): never {
  throw new Error("there are no edges");
}

/** Any graph of up to 14 steps of few classes, loops included, and some of its groups open. */
const anyGraph = fc
  .record({
    classes: fc.array(fc.constantFrom("A", "B", null), { minLength: 1, maxLength: 14 }),
    pairs: fc.array(fc.tuple(fc.nat(14), fc.nat(16), fc.constantFrom("", "x")), { maxLength: 40 }),
    open: fc.array(fc.nat(14)),
    isStacked: fc.boolean(),
  })
  .map(({ classes, pairs, open, isStacked }) => {
    const steps = classes.map((step_class, number) => createNode({ id: `s${number}`, step_class }));
    const edges: EdgeText[] = pairs.map(([from, to, label]) => {
      const source = `s${from % steps.length}`;
      return [source, to < steps.length ? `s${to}` : to % 2 === 0 ? "end" : "end_other", label];
    });
    const graph: GraphOut = { ...graphOf(edges), nodes: steps, start_at: "s0" };
    return { graph, open: new Set(open.map((number) => `[group] s${number}`)), isStacked };
  });

it("of any graph every step is drawn once, in itself or in its group, and every edge once", () => {
  fc.assert(
    fc.property(anyGraph, ({ graph, open, isStacked }) => {
      const drawn = drawnGraph(graph, open, { isStacked });
      const steps = drawn.items.flatMap(({ step, group }) =>
        step !== null ? [step.id] : group?.isOpen ? [] : (group?.members.map(({ id }) => id) ?? []),
      );
      expect(steps.sort()).toEqual(graph.nodes.map(({ id }) => id).sort());
      expect(drawn.edges.flatMap(({ edges }) => edges.map(({ index }) => index)).sort()).toEqual(
        graph.edges.map(({ index }) => index).sort(),
      );
      const places = new Set([...drawn.items.map(({ id }) => id), ...drawn.ends]);
      for (const { source, target } of drawn.edges) expect(places.has(source) && places.has(target)).toBe(true);
      expect(places.has(drawn.startAt)).toBe(true);
      expect(drawn.ends).toEqual(endsOf(graph));
    }),
  );
});

it("in any graph the members of a group can be exchanged without a difference", () => {
  fc.assert(
    fc.property(anyGraph, ({ graph }) => {
      for (const group of new Set<StepGroup>(drawnGraph(graph, CLOSED).groups.values())) {
        const ways = group.members.map(({ id }) =>
          graph.edges
            .flatMap(({ source, target, label }) => [
              ...(source === id ? [["to", target === id ? "itself" : target, label]] : []),
              ...(target === id ? [["from", source === id ? "itself" : source, label]] : []),
            ])
            .map((way) => way.join(" "))
            .sort(),
        );
        for (const each of ways) expect(each).toEqual(ways[0]);
        expect(new Set(group.members.map(({ step_class }) => step_class)).size).toBe(1);
        expect(group.members.length).toBeGreaterThanOrEqual(FEWEST_FOLDED);
      }
    }),
  );
});
