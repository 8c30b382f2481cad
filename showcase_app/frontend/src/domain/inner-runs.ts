/** Runs within runs: where each stands, how the page's address names it, and in which order a few are shown. Pure. */
import type { RunOut, StepOut, StepStatus } from "@/api/schema.gen";

type Run = Pick<StepOut, "within" | "step_id" | "iteration">;

const ESCAPED: Readonly<Record<string, string>> = { "%": "%25", "/": "%2F", "#": "%23", "\u{10FFFF}": "%10FFFF" };

/** The path of a run: what is within it has this as `within`. As `ia_modules/paths.py` has it. */
export function pathOf({ within, step_id, iteration }: Run): string {
  const segment = `${step_id.replace(/[%/#\u{10FFFF}]/gu, (found) => ESCAPED[found] ?? found)}#${iteration}`;
  return within === "" ? segment : `${within}/${segment}`;
}

/** A run within another that is looked at, and which of its attempts; null: the newest. */
export type Place = Run & { attempt: number | null };

/** A place as it stands in the address, without what it is within: `2.1.search` is the first attempt of `search#2`. */
export function placeWord({ step_id, iteration, attempt }: Omit<Place, "within">): string {
  return `${iteration}.${attempt ?? ""}.${step_id}`;
}

/** The places that an address leads through, from the run of the graph with this path inwards; up to a word that is none. */
export function placesOf(path: string, words: readonly string[]): Place[] {
  const places: Place[] = [];
  let within = path;
  for (const word of words) {
    const found = /^([1-9]\d{0,8})\.([1-9]\d{0,8})?\.(.+)$/s.exec(word);
    if (found?.[1] === undefined || found[3] === undefined) break;
    const attempt = found[2] === undefined ? null : Number(found[2]);
    const place = { within, step_id: found[3], iteration: Number(found[1]), attempt };
    places.push(place);
    within = pathOf(place);
  }
  return places;
}

/** What a run is called, and its number, where that says more. */
export function runName({ step_id, step_name, iteration }: Pick<StepOut, "step_id" | "step_name" | "iteration">): {
  name: string;
  number: string | null;
} {
  if (step_name !== step_id) return { name: step_name, number: `${step_id} #${iteration}` };
  return { name: step_id, number: iteration === 1 ? null : `#${iteration}` };
}

/** All runs of a level as they began, where they are all here; else as they are numbered, which is how pages follow. */
export function inShownOrder(runs: readonly RunOut[], isWhole: boolean): RunOut[] {
  if (!isWhole) return [...runs];
  return [...runs].sort((one, other) => compare(one.created_at, other.created_at));
}

function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

/** Some of many, in their order: the first so many, and in the place of the last of these the chosen one. */
export function someOf<Run extends { step_execution_id: string }>(
  runs: readonly Run[],
  chosen: string | null,
  most: number,
): Run[] {
  const some = runs.slice(0, most);
  const found = runs.find((run) => run.step_execution_id === chosen);
  return found === undefined || some.includes(found) ? some : [...some.slice(0, most - 1), found];
}

/** How many runs a level has, whatever their status. */
export function totalOf(byStatus: Readonly<Partial<Record<StepStatus, number>>>): number {
  return Object.values(byStatus).reduce((sum, count) => sum + count, 0);
}
