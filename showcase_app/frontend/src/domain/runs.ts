/** What the attempts of an execution say about the steps and paths of its graph: pure. */
import type { GraphEdge, GraphOut, StepDetail, StepOut } from "@/api/schema.gen";
import { type Question, timesByStep } from "./durations";
import type { EdgeState, NodeRun } from "./graph";

export function fellBack(step: StepOut): boolean {
  return step.status === "completed" && step.error_type !== null;
}

/** Whether the first was made after the second. */
function isNewer(one: StepOut, other: StepOut): boolean {
  return one.iteration === other.iteration ? one.attempt > other.attempt : one.iteration > other.iteration;
}

/** The newest attempt of every step that has one. */
export function newestOf<Step extends StepOut>(steps: readonly Step[]): Map<string, Step> {
  const newest = new Map<string, Step>();
  for (const step of steps) {
    const known = newest.get(step.step_id);
    if (known === undefined || isNewer(step, known)) newest.set(step.step_id, step);
  }
  return newest;
}

/** How each step stands: by its newest attempt, with the times of all of them. */
export function runsOf(
  steps: readonly StepOut[],
  interactions: readonly Question[],
  graph: GraphOut,
): Map<string, NodeRun> {
  const times = timesByStep(steps, interactions);
  const most = new Map(graph.nodes.map((node) => [node.id, node.max_iterations]));
  return new Map(
    [...newestOf(steps)].map(([stepId, step]) => [
      stepId,
      {
        status: step.status,
        iteration: step.iteration,
        maxIterations: most.get(stepId) ?? 1,
        attempt: step.attempt,
        progress: step.status === "running" ? step.progress : null,
        times: times.get(stepId) ?? null,
        fellBack: fellBack(step),
        copied: step.copied_from !== null,
        row: { execution_id: step.execution_id, sequence: step.sequence },
      },
    ]),
  );
}

/**
 * Which paths were taken, by their place in the definition. A path out of a loop is taken if one iteration took it.
 * What comes only after paths that were not taken is not taken either; when all has ended, so is all that is undecided.
 */
export function edgesOf(steps: readonly StepOut[], graph: GraphOut, ended: boolean): Map<number, EdgeState> {
  const states = new Map<number, EdgeState>();
  for (const edge of graph.edges) if (edge.index !== null) states.set(edge.index, ended ? "not_taken" : "unknown");
  for (const step of steps) {
    if (step.routes?.next !== "paths") continue;
    for (const { path, taken } of step.routes.paths) {
      if (path !== null && states.get(path) !== "taken") states.set(path, taken ? "taken" : "not_taken");
    }
  }
  if (!ended) fadeUnreachable(states, steps, graph);
  return states;
}

function fadeUnreachable(states: Map<number, EdgeState>, steps: readonly StepOut[], graph: GraphOut): void {
  const begun = new Set([graph.start_at, ...steps.map((step) => step.step_id)]);
  const looping = new Set(graph.nodes.filter((node) => node.max_iterations > 1).map((node) => node.id));
  const incoming = new Map<string, GraphEdge[]>();
  for (const edge of graph.edges) incoming.set(edge.target, [...(incoming.get(edge.target) ?? []), edge]);
  const isDecided = (edge: GraphEdge) =>
    edge.index !== null && states.get(edge.index) === "not_taken" && !looping.has(edge.source);
  for (let changed = true; changed; ) {
    changed = false;
    for (const { index, source } of graph.edges) {
      if (index === null || states.get(index) !== "unknown" || begun.has(source)) continue;
      if (incoming.get(source)?.every(isDecided)) {
        states.set(index, "not_taken");
        changed = true;
      }
    }
  }
}

/** The first attempt that failed for good: nothing follows from it. null when no step stopped the execution. */
export function stoppedBy(steps: readonly StepDetail[]): StepDetail | null {
  const newest = newestOf(steps);
  let first: StepDetail | null = null;
  for (const step of steps) {
    if (step.status !== "failed" || step.completed_at === null) continue;
    // A program that keeps no routes: what it tried again did not stop it.
    const stopped = step.routes === null ? newest.get(step.step_id) === step : step.routes.next === "stop";
    if (stopped && (first?.completed_at == null || step.completed_at < first.completed_at)) first = step;
  }
  return first;
}

/** All attempts of one step, in their order. */
export function attemptsOf<Step extends StepOut>(steps: readonly Step[], stepId: string): Step[] {
  return steps.filter((step) => step.step_id === stepId).sort((a, b) => (isNewer(a, b) ? 1 : -1));
}

/** An attempt as it stands in the address: `2.1` is the first attempt of the second iteration. */
export function attemptWord(step: StepOut): string {
  return `${step.iteration}.${step.attempt}`;
}

/** The end of an id: its beginning is the time, which those of one minute share. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `…${id.slice(-8)}`;
}

/** Whether nothing more happens to the attempt. */
export function isOver(step: StepOut): boolean {
  return step.completed_at !== null;
}
