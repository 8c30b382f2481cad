/** How the members of a group stand together: pure. */

import type { GraphEdge } from "@/api/schema.gen";
import type { StepGroup } from "./drawn-graph";
import { type Times, timesTogether } from "./durations";
import { type EdgeState, type EdgeStates, markWord, type NodeRuns, type StepMark, type StepMarks } from "./graph";
import { type Status, statusWord } from "./status";

/** `ahead`: not begun. `passed`: the run went another way. */
export type MemberStanding = Status | "ahead" | "passed";
export type MemberCount = { standing: MemberStanding; count: number };
export type GroupRun = {
  counts: readonly MemberCount[];
  /** Of all members together; null: not known. */
  times: Times | null;
};

/** As they are read: what is done, what went wrong, what goes on, what is to come. */
const ORDER: readonly MemberStanding[] = [
  ...(["completed", "failed", "lost", "running", "waiting", "waiting_for_human", "pending"] as const),
  ...(["cancelled", "skipped", "ahead", "passed"] as const),
];
/** What colours the whole: the first that there is. */
const GRAVEST: readonly Status[] = [
  ...(["failed", "lost", "running", "waiting", "waiting_for_human", "pending"] as const),
  ...(["cancelled", "completed", "skipped"] as const),
];
const GRAVEST_MARKS: readonly StepMark[] = [
  ...(["first", "differs", "only_a", "only_b", "acts", "by_hand", "asked_again", "again", "kept"] as const),
];

/** null: no run is shown. */
export function groupRunOf(group: StepGroup, runs: NodeRuns | undefined, passed: ReadonlySet<string>): GroupRun | null {
  if (runs === undefined) return null;
  const counts = new Map<MemberStanding, number>();
  const times: Times[] = [];
  for (const { id } of group.members) {
    const run = runs.get(id);
    const standing = run?.status ?? (passed.has(id) ? "passed" : "ahead");
    counts.set(standing, (counts.get(standing) ?? 0) + 1);
    if (run?.times != null) times.push(run.times);
  }
  return {
    counts: ORDER.flatMap((standing) => {
      const count = counts.get(standing);
      return count === undefined ? [] : [{ standing, count }];
    }),
    times: times.length === 0 ? null : timesTogether(times),
  };
}

/** The status that counts most; null: none has begun. */
export function statusOfGroup({ counts }: GroupRun): Status | null {
  return GRAVEST.find((status) => counts.some(({ standing }) => standing === status)) ?? null;
}

/** `58 done, 2 failed`. */
export function countsText({ counts }: GroupRun): string {
  return counts.map(({ standing, count }) => `${count} ${standingWord(standing)}`).join(", ");
}

function standingWord(standing: MemberStanding): string {
  if (standing === "completed") return "done";
  if (standing === "ahead") return "not begun";
  if (standing === "passed") return "not on its way";
  return statusWord(standing).toLowerCase();
}

/** The mark that counts most among the members, and how many have it; null: none is marked. */
export function markOfGroup(group: StepGroup, marks: StepMarks): { mark: StepMark; count: number } | null {
  const found = group.members.flatMap(({ id }) => marks.get(id) ?? []);
  const mark = GRAVEST_MARKS.find((each) => found.includes(each));
  return mark === undefined ? null : { mark, count: found.filter((each) => each === mark).length };
}

/** A group in one sentence, for screen readers. */
export function groupSentence(
  group: StepGroup,
  run: GroupRun | null,
  marked: { mark: StepMark; count: number } | null,
): string {
  const facts = [
    ...(run === null ? [] : [countsText(run)]),
    ...(marked === null ? [] : [`${marked.count}: ${markWord(marked.mark)}`]),
  ];
  return facts.length === 0 ? group.name : `${group.name}: ${facts.join(", ")}`;
}

const STATES: readonly EdgeState[] = ["only_a", "only_b", "taken", "unknown", "not_taken"];

/** How what is drawn as one edge stands: the first of what its edges are. */
export function stateOfEdges(edges: readonly GraphEdge[], states: EdgeStates): EdgeState {
  const found = new Set(edges.map(({ index }) => (index === null ? undefined : states.get(index)) ?? "unknown"));
  return STATES.find((state) => found.has(state)) ?? "unknown";
}
