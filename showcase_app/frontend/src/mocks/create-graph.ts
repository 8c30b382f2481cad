/** Graphs as the server sends them, for tests: from the edges alone. */
import type { GraphEdge, GraphNode, GraphOut } from "@/api/schema.gen";

export type EdgeText = [source: string, target: string, label?: string, isBack?: boolean];

/** The graph of the edges, its steps in the order in which they are named; `looping` may run 11 times. */
export function graphOf(edges: EdgeText[], looping: string[] = []): GraphOut {
  const ids = [...new Set([...edges.map((edge) => edge[0]), ...edges.map((edge) => edge[1])])];
  const steps = ids.filter((id) => !id.startsWith("end"));
  return {
    pipeline_id: "pipeline",
    version: 1,
    start_at: steps[0] ?? "",
    nodes: steps.map((id) => createNode({ id, max_iterations: looping.includes(id) ? 11 : 1 })),
    merge_rules: "",
    edges: edges.map(([source, target, label = "", is_back_edge = false], index) =>
      createEdge({ index, source, target, label, is_back_edge }),
    ),
  };
}

export function createNode(row: Partial<GraphNode> = {}): GraphNode {
  return {
    id: "step",
    name: row.id ?? "step",
    type: "task",
    description: null,
    module: null,
    step_class: null,
    map_over: null,
    max_iterations: 1,
    retry_max_attempts: 1,
    timeout_seconds: null,
    has_fallback: false,
    continues_on_error: false,
    ...row,
  };
}

export function createEdge(row: Partial<GraphEdge> = {}): GraphEdge {
  return {
    index: 0,
    source: "a",
    target: "b",
    label: "",
    order: null,
    ends_execution: false,
    is_back_edge: false,
    ...row,
  };
}
