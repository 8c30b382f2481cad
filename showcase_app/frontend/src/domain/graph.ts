/** A run drawn on its graph: the state of each step and each edge. */
import type { GraphEdge, GraphNode, GraphOut, StepOut } from "@/api/schema.gen";
import { secondsAt, type Times } from "./durations";
import { hasEnded, type Status, statusWord } from "./status";
import { durationText } from "./time";

/** How a step stands in one execution: its newest attempt. */
export type NodeRun = {
  status: Status;
  iteration: number;
  maxIterations: number;
  attempt: number;
  progress: number | null;
  /** Of all its attempts; null: not known. */
  times: Times | null;
  fellBack: boolean;
  /** It did not run in this execution: its result is that of an earlier one. */
  copied: boolean;
  /** Its row, to ask for what is within it; null: not known. */
  row: Pick<StepOut, "execution_id" | "sequence"> | null;
};

/** `only_a`, `only_b`: of two executions beside each other, one alone took it. */
export type EdgeState = "taken" | "not_taken" | "unknown" | "only_a" | "only_b";
/** What a comparison says of a step (`first`: there the two executions went different ways), or what becomes of it when
 * its execution goes on or is run again (`acts`: it runs, or may, and may have effects outside). */
export type StepMark = ComparedMark | PlannedMark;
export type ComparedMark = "first" | "differs" | "only_a" | "only_b";
export type PlannedMark = "kept" | "again" | "acts" | "by_hand" | "asked_again";
export type NodeRuns = ReadonlyMap<string, NodeRun>;
export type EdgeStates = ReadonlyMap<number, EdgeState>;
export type StepMarks = ReadonlyMap<string, StepMark>;

/** What is said of a step run whose result is that of an earlier execution. */
export const COPIED = "Copied from an earlier execution";

const MARK_WORDS: Readonly<Record<StepMark, string>> = {
  first: "they diverged here first",
  differs: "differs",
  only_a: "only A ran it",
  only_b: "only B ran it",
  kept: "its result is kept",
  again: "runs, or may",
  acts: "runs, or may, and may have effects",
  by_hand: "its result is given",
  asked_again: "is asked again",
};

const PLANNED: ReadonlySet<StepMark> = new Set(["kept", "again", "acts", "by_hand", "asked_again"]);

/** Whether it says what becomes of a step. */
export function isPlanned(mark: StepMark | undefined): boolean {
  return mark !== undefined && PLANNED.has(mark);
}

/** A mark in words for people. */
export function markWord(mark: StepMark): string {
  return MARK_WORDS[mark];
}

/** Where everything starts; no step can be called so, since ids of steps have no brackets. */
export const START = "[start]";

/** The steps that a run did not reach, because no edge to them was taken. */
export function passedBy(graph: GraphOut, runs: NodeRuns, edges: EdgeStates): ReadonlySet<string> {
  const open = new Set<string>([graph.start_at]);
  for (const edge of graph.edges) {
    if (edge.index === null || edges.get(edge.index) !== "not_taken") open.add(edge.target);
  }
  return new Set(graph.nodes.map((node) => node.id).filter((id) => !open.has(id) && !runs.has(id)));
}

/** A step in one sentence, for screen readers. */
export function nodeSentence(node: GraphNode, run: NodeRun | undefined, mark?: StepMark): string {
  const parts = [node.name];
  if (mark !== undefined) parts.push(markWord(mark));
  if (run !== undefined) {
    parts.push(statusWord(run.status));
    if (run.times !== null && hasEnded(run.status)) {
      parts.push(`run time ${durationText(secondsAt(run.times, 0).runSeconds)}`);
    }
    if (run.progress !== null) parts.push(`${Math.round(run.progress * 100)} %`);
    if (run.maxIterations > 1) parts.push(`iteration ${run.iteration} of at most ${run.maxIterations}`);
    if (run.attempt > 1) parts.push(`attempt ${run.attempt}`);
    if (run.fellBack) parts.push("its fallback ran");
    if (run.copied) parts.push(COPIED.toLowerCase());
  }
  return parts.join(", ");
}

/** What stands at an edge: when it is taken, its place where the first is, and whether all ends with it. */
export function edgeText({ label, order, ends_execution }: GraphEdge): string {
  const numbered = order === null ? label : `${order}. ${label === "" ? "always" : label}`;
  return [numbered, ends_execution ? "ends the execution" : ""].filter((part) => part !== "").join(", ");
}

/** The same as it is drawn: parameters by their names alone. */
export function shortLabel(edge: GraphEdge): string {
  return edgeText(edge).replace(/"?\{parameters\.([\w.-]+)\}"?/g, "$1");
}

const STANDING: Readonly<Record<EdgeState | "idle", string>> = {
  taken: ", taken",
  not_taken: ", not taken",
  only_a: ", taken in A alone",
  only_b: ", taken in B alone",
  unknown: "",
  idle: "",
};

/** An edge in one sentence; null: the one from the start. `names` are those of the steps, by id. */
export function edgeSentence(
  names: ReadonlyMap<string, string>,
  edge: GraphEdge | null,
  state: EdgeState | "idle",
): string {
  if (edge === null) return "From the start";
  const name = (id: string) => names.get(id) ?? "the end";
  const place = edge.order === null ? "" : `, choice ${edge.order}`;
  const condition = edge.label === "" ? "" : `, if ${edge.label}`;
  const ending = edge.ends_execution ? ", ends the execution" : "";
  const standing = STANDING[state];
  return `From ${name(edge.source)} to ${name(edge.target)}${place}${condition}${ending}${standing}`;
}
