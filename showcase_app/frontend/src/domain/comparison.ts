/** What two executions beside each other say of their runs, steps and paths: pure. */
import type { AlignedRunOut, ComparedCountsOut, ComparedRunOut, ComparisonOut, GraphOut } from "@/api/schema.gen";
import type { EdgeState, NodeRun, StepMark } from "./graph";

export type SideName = "a" | "b";
export const SIDES: readonly SideName[] = ["a", "b"];

/** A run as it stands in the address and in lists: `repair#2`, with what it is a part of in front. */
export function runWord({
  within,
  step_id,
  iteration,
}: Pick<AlignedRunOut, "within" | "step_id" | "iteration">): string {
  const place = within === "" ? "" : `${within}/`;
  return `${place}${step_id}${iteration === 1 ? "" : `#${iteration}`}`;
}

/** What of a run differs, in words; empty where nothing does. */
export function differencesOf(run: AlignedRunOut): string[] {
  if (run.a === null) return ["only in B"];
  if (run.b === null) return ["only in A"];
  const found = [
    run.a.status === run.b.status ? null : "status",
    run.input?.same === false ? "input" : null,
    run.output?.same === false ? "output" : null,
    run.error === false ? "error" : null,
    run.routes === false ? "paths" : null,
    run.definitions?.same === false ? "definition" : null,
  ];
  return found.filter((each) => each !== null);
}

/** The run at which they first went different ways; null where they did not, or where it is not among those listed. */
export function firstRun({ divergence, steps }: ComparisonOut): AlignedRunOut | null {
  if (divergence === null) return null;
  return steps.find((run) => runWord(run) === runWord(divergence)) ?? null;
}

/** The runs of the graph's own steps, by step, in their order. */
function runsByStep(steps: readonly AlignedRunOut[]): Map<string, AlignedRunOut[]> {
  const runs = new Map<string, AlignedRunOut[]>();
  for (const run of steps) {
    if (run.within !== "") continue;
    const known = runs.get(run.step_id);
    if (known === undefined) runs.set(run.step_id, [run]);
    else known.push(run);
  }
  return runs;
}

/** How each step stands in one of the two: its newest iteration. */
export function nodeRunsOf({ steps }: ComparisonOut, side: SideName, graph: GraphOut): Map<string, NodeRun> {
  const most = new Map(graph.nodes.map((node) => [node.id, node.max_iterations]));
  const runs = new Map<string, NodeRun>();
  for (const [stepId, aligned] of runsByStep(steps)) {
    let newest: { iteration: number; run: ComparedRunOut } | null = null;
    for (const { iteration, [side]: run } of aligned) {
      if (run !== null && (newest === null || iteration > newest.iteration)) newest = { iteration, run };
    }
    if (newest === null) continue;
    runs.set(stepId, {
      status: newest.run.status,
      iteration: newest.iteration,
      maxIterations: most.get(stepId) ?? 1,
      attempt: newest.run.attempts,
      progress: null,
      times: null, // only how long its last attempt took is known, with what it waited
      fellBack: newest.run.status === "completed" && newest.run.error_type !== null,
      copied: newest.run.copied_from !== null,
      row: null,
    });
  }
  return runs;
}

/** What is marked on the graph: the step at which they diverged first, those that differ, those that one alone ran. */
export function marksOf(comparison: ComparisonOut): Map<string, StepMark> {
  const marks = new Map<string, StepMark>();
  for (const [stepId, runs] of runsByStep(comparison.steps)) {
    const differing = runs.filter((run) => run.differs);
    if (differing.length === 0) continue;
    const onlyIn = SIDES.find((side) => runs.every((run) => run[side === "a" ? "b" : "a"] === null));
    marks.set(stepId, onlyIn === undefined ? "differs" : onlyIn === "a" ? "only_a" : "only_b");
  }
  const { divergence } = comparison;
  if (divergence !== null) marks.set(graphStep(divergence), "first");
  return marks;
}

/** The step of the graph that a run belongs to: `map` of `map#1/item#3`. */
function graphStep({ within, step_id }: { within: string; step_id: string }): string {
  const outermost = within.split("/", 1)[0] ?? "";
  if (outermost === "") return step_id;
  return decodeURIComponent(outermost.replace(/#\d+$/, ""));
}

/** Which paths were taken, by their place in the definition: in both, in one of them, in none. */
export function edgeStatesOf({ steps }: ComparisonOut, graph: GraphOut): Map<number, EdgeState> {
  const taken = { a: new Set<string>(), b: new Set<string>() };
  for (const run of steps) {
    if (run.within !== "") continue;
    for (const side of SIDES)
      for (const target of run[side]?.taken ?? []) taken[side].add(pathWord(run.step_id, target));
  }
  const states = new Map<number, EdgeState>();
  for (const { index, source, target } of graph.edges) {
    if (index === null) continue;
    const [inA, inB] = [taken.a.has(pathWord(source, target)), taken.b.has(pathWord(source, target))];
    states.set(index, inA && inB ? "taken" : inA ? "only_a" : inB ? "only_b" : "not_taken");
  }
  return states;
}

function pathWord(source: string, target: string): string {
  return JSON.stringify([source, target]);
}

/** Which of the two did not run it, but has the result of an execution before; null: neither. */
export function copiedText({ a, b }: Pick<AlignedRunOut, "a" | "b">): string | null {
  const copied = [...(a?.copied_from ? ["A"] : []), ...(b?.copied_from ? ["B"] : [])];
  if (copied.length === 0) return null;
  if (copied.length === 2) return "Neither ran it: both have the result that an execution before them had.";
  return `${copied[0]} did not run it: its result is copied from an earlier execution.`;
}

export function countsText({ same, different, only_a, only_b }: ComparedCountsOut): string {
  const parts = [`${different} ${different === 1 ? "differs" : "differ"}`, `${same} the same`];
  if (only_a > 0) parts.push(`${only_a} only in A`);
  if (only_b > 0) parts.push(`${only_b} only in B`);
  return parts.join(", ");
}

/** How much longer A took than B, where that is worth a word: at least half as long again, and a tenth of a second. */
export function slownessText(a: number | null, b: number | null): string | null {
  if (a === null || b === null || Math.abs(a - b) < 0.1) return null;
  const [slow, quick, name] = a > b ? [a, b, "A"] : [b, a, "B"];
  if (quick <= 0 || slow / quick < 1.5) return null;
  const times = slow / quick;
  return `${name} took ${times < 10 ? times.toFixed(1) : Math.round(times)} times as long`;
}

/** The address of a comparison; without `b`, with the last good one. */
export function compareAddress(a: string, b?: string): string {
  const params = new URLSearchParams({ a, ...(b === undefined ? {} : { b }) });
  return `/compare?${params}`;
}
