/**
 * What is drawn of a graph: its steps and edges, and in the place of many parallel steps of one kind a group that can be
 * opened. Pure.
 */
import type { GraphEdge, GraphNode, GraphOut } from "@/api/schema.gen";
import { edgeText, START } from "./graph";

/** Parallel steps of one kind: the same class, between the same steps by the same conditions. */
export type StepGroup = { id: string; name: string; members: readonly GraphNode[]; isOpen: boolean };

/** A step; or a group, which stands for its members, or above them where it is open. */
export type DrawnItem = { id: string; step: GraphNode; group: null } | { id: string; step: null; group: StepGroup };

/** `edges`: those of the definition that are drawn as this one; none where it only holds an open group in its place. */
export type DrawnEdge = { source: string; target: string; edges: readonly GraphEdge[] };

export type DrawnGraph = {
  startAt: string;
  /** In the order of the file. */
  items: readonly DrawnItem[];
  /** The ends that edges lead to, each once. */
  ends: readonly string[];
  edges: readonly DrawnEdge[];
  /** Of each step that is in one. */
  groups: ReadonlyMap<string, StepGroup>;
  /** Whether the members of an open group stand below its head as one block, which has the edges of all of them. */
  isStacked: boolean;
};

/** So many are folded: fewer can be seen at once, without moving the graph. */
export const FEWEST_FOLDED = 5;

/** The graph as it is drawn while the groups with these ids are open; stacked where there is no room for a row of them. */
export function drawnGraph(graph: GraphOut, open: ReadonlySet<string>, { isStacked = false } = {}): DrawnGraph {
  const groups = groupsOf(graph, open);
  const items = graph.nodes.flatMap((step): DrawnItem[] => {
    const group = groups.get(step.id);
    if (group === undefined) return [{ id: step.id, step, group: null }];
    const isFirst = group.members[0] === step;
    const head: DrawnItem[] = isFirst ? [{ id: group.id, step: null, group }] : [];
    return group.isOpen ? [...head, { id: step.id, step, group: null }] : head;
  });
  const endpoint = (id: string) => (isStacked ? (groups.get(id)?.id ?? id) : placeOf(groups, id));
  return {
    startAt: endpoint(graph.start_at),
    items,
    ends: endsOf(graph),
    edges: [...edgesBetween(graph, endpoint), ...(isStacked ? [] : edgesOfHeads(graph, groups))],
    groups,
    isStacked,
  };
}

/** What stands for a step: itself, or the closed group it is in. */
export function placeOf(groups: ReadonlyMap<string, StepGroup>, id: string): string {
  const group = groups.get(id);
  return group === undefined || group.isOpen ? id : group.id;
}

function groupsOf(graph: GraphOut, open: ReadonlySet<string>): Map<string, StepGroup> {
  const alike = new Map<string, GraphNode[]>();
  const ways = waysOf(graph);
  for (const node of graph.nodes) {
    if (node.step_class === null) continue;
    const key = JSON.stringify([node.type, node.module, node.step_class, ways.get(node.id)?.sort()]);
    const known = alike.get(key);
    if (known === undefined) alike.set(key, [node]);
    else known.push(node);
  }
  const groups = new Map<string, StepGroup>();
  for (const members of alike.values()) {
    const [first] = members;
    if (first === undefined || members.length < FEWEST_FOLDED) continue;
    const id = `[group] ${first.id}`; // no step can be called so, since ids of steps have no brackets
    const group = { id, name: `${members.length} × ${first.step_class}`, members, isOpen: open.has(id) };
    for (const { id: member } of members) groups.set(member, group);
  }
  return groups;
}

/** How each step is connected: where from, where to, on which condition. */
function waysOf({ start_at, edges }: GraphOut): Map<string, string[]> {
  const ways = new Map<string, string[]>([[start_at, [START]]]);
  const add = (id: string, way: string) => {
    const known = ways.get(id);
    if (known === undefined) ways.set(id, [way]);
    else known.push(way);
  };
  for (const edge of edges) {
    const { source, target } = edge;
    const how = conditionOf(edge);
    if (source === target) add(source, `itself ${how}`);
    else {
      add(source, `to ${target} ${how}`);
      add(target, `from ${source} ${how}`);
    }
  }
  return ways;
}

function conditionOf(edge: GraphEdge): string {
  return JSON.stringify([edgeText(edge), edge.is_back_edge]);
}

/** Those of the definition; what leads between the same two places in the same way is one. */
function edgesBetween(graph: GraphOut, endpoint: (id: string) => string): DrawnEdge[] {
  const drawn = new Map<string, { source: string; target: string; edges: GraphEdge[] }>();
  graph.edges.forEach((edge, place) => {
    const source = endpoint(edge.source);
    const target = endpoint(edge.target);
    const isFolded = source !== edge.source || target !== edge.target;
    const key = isFolded ? JSON.stringify([source, target, conditionOf(edge)]) : String(place);
    const known = drawn.get(key);
    if (known === undefined) drawn.set(key, { source, target, edges: [edge] });
    else known.edges.push(edge);
  });
  return [...drawn.values()];
}

/** What holds the head of an open group above its members: the layout takes it for one of them. */
function edgesOfHeads(graph: GraphOut, groups: ReadonlyMap<string, StepGroup>): DrawnEdge[] {
  const heads = new Map(
    [...new Set(groups.values())].filter((group) => group.isOpen).map((group) => [group.members[0]?.id, group.id]),
  );
  return graph.edges.flatMap(({ source, target, is_back_edge }): DrawnEdge[] => {
    if (is_back_edge || source === target) return [];
    const [from, to] = [heads.get(source), heads.get(target)];
    return [
      ...(from === undefined ? [] : [{ source: from, target: placeOf(groups, target), edges: [] }]),
      ...(to === undefined ? [] : [{ source: placeOf(groups, source), target: to, edges: [] }]),
    ];
  });
}

/** The ends that edges lead to, each once. */
export function endsOf(graph: GraphOut): string[] {
  const steps = new Set(graph.nodes.map((node) => node.id));
  return [...new Set(graph.edges.map((edge) => edge.target).filter((target) => !steps.has(target)))];
}
