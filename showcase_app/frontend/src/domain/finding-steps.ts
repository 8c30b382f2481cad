/** Ways to a step in a graph or list that is larger than the screen: pure. */
import type { Status } from "./status";

export type Findable = { id: string; name: string };
/** Where people want to go first: the steps of one status, in the order of the graph. */
export type Goal = { status: Status; ids: readonly string[] };

const GOALS: readonly Status[] = ["failed", "running", "waiting"];

/** Fewer steps are all in view. */
export const FEWEST_FOUND = 12;

export function goalsOf(steps: readonly Findable[], statusOf: (id: string) => Status | undefined): Goal[] {
  return GOALS.map((status) => ({
    status,
    ids: steps.map(({ id }) => id).filter((id) => statusOf(id) === status),
  })).filter(({ ids }) => ids.length > 0);
}

/** The one after the step that is selected, from the beginning again after the last. */
export function nextOf({ ids }: Goal, selected: string | null): string | undefined {
  return ids[(selected === null ? 0 : ids.indexOf(selected) + 1) % ids.length];
}
