/** Attempts of steps as bars on a time axis: pure. All times are milliseconds since 1970. */
import type { StepOut, StepStatus } from "@/api/schema.gen";
import { type Question, type Segment, segmentsByAttempt, segmentsUntil } from "./durations";
import { clockText, dateText, instantOf, wallMs } from "./time";

/** One attempt; its segments follow each other without a gap from `from` to `to`. */
export type Bar = {
  id: string;
  stepId: string;
  name: string;
  iteration: number;
  attempt: number;
  status: StepStatus;
  from: number;
  to: number;
  /** It goes on: `to` is now. */
  open: boolean;
  /** It did not run in this execution: it has no length. */
  copied: boolean;
  segments: readonly Segment[];
};

/** A line of the timeline: bars of one step that do not overlap. `isFirst`: the one that carries the step's name. */
export type Row = {
  key: string;
  stepId: string;
  name: string;
  isFirst: boolean;
  bars: readonly Bar[];
  /** They are within the step above. */
  isInner?: boolean;
};

/** What is within a run of a step, as far as it is shown: each run by its latest attempt, whose id it is chosen by. */
export type ShownLevel = {
  stepId: string;
  runs: readonly StepOut[];
  /** How many there are of them. */
  total: number;
  chosen: string | null;
  choose: (id: string) => void;
};

/** What part of the time is shown; `from` < `to`. */
export type View = { from: number; to: number };

/** A bar for every attempt, in the order of the attempts. */
export function barsOf(steps: readonly StepOut[], interactions: readonly Question[], now: number): Bar[] {
  const segments = segmentsByAttempt(steps, interactions);
  return steps.map((step) => barOf(step, segments.get(step.step_execution_id) ?? [], now));
}

function barOf(step: StepOut, segments: readonly Segment[], now: number): Bar {
  const from = Date.parse(step.created_at);
  const open = step.completed_at === null;
  return {
    id: step.step_execution_id,
    stepId: step.step_id,
    name: step.step_name,
    iteration: step.iteration,
    attempt: step.attempt,
    status: step.status,
    from,
    to: Math.max(from, step.completed_at === null ? now : Date.parse(step.completed_at)),
    open,
    copied: step.copied_from !== null,
    segments: open ? segmentsUntil(segments, now) : segments,
  };
}

/** Steps in the order in which they began; what overlaps within a step stands below each other. */
export function rowsOf(bars: readonly Bar[]): Row[] {
  const steps = new Map<string, Bar[][]>();
  for (const bar of [...bars].sort((a, b) => a.from - b.from)) {
    const rows = steps.get(bar.stepId) ?? [];
    steps.set(bar.stepId, rows);
    const free = rows.find((row) => (row.at(-1)?.to ?? 0) <= bar.from);
    if (free === undefined) rows.push([bar]);
    else free.push(bar);
  }
  return [...steps].flatMap(([stepId, rows]) =>
    rows.map((row, index) => ({
      key: `${index} ${stepId}`,
      stepId,
      name: row[0]?.name ?? stepId,
      isFirst: index === 0,
      bars: row,
    })),
  );
}

/** The rows with what is within a step below those of the step; at most `most` of these. */
export function withLevel(rows: readonly Row[], { stepId, runs }: ShownLevel, now: number, most: number): Row[] {
  const end = rows.findLastIndex((row) => row.stepId === stepId) + 1;
  const inner = rowsOf(barsOf(runs, [], now)).slice(0, most);
  const shown = inner.map((row) => ({ ...row, key: `in ${row.key}`, stepId: `in ${row.stepId}`, isInner: true }));
  return [...rows.slice(0, end), ...shown, ...rows.slice(end)];
}

function within(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

const SHORTEST_MS = 1;

/** From the first bar to the last, or to now while something goes on; never empty. */
export function wholeOf(bars: readonly Bar[], startedAt: string | null, now: number): View {
  let from = startedAt === null ? Number.POSITIVE_INFINITY : Date.parse(startedAt);
  let to = Number.NEGATIVE_INFINITY;
  for (const bar of bars) {
    from = Math.min(from, bar.from);
    to = Math.max(to, bar.to);
  }
  if (!Number.isFinite(from)) from = now;
  return { from, to: Math.max(to, from + SHORTEST_MS) };
}

/** The view with `factor` of its length (below 1 = closer), with `at` kept in its place; inside the whole. */
export function zoomed(view: View, whole: View, at: number, factor: number): View {
  const length = within((view.to - view.from) * factor, SHORTEST_MS, whole.to - whole.from);
  const share = (at - view.from) / (view.to - view.from);
  return placed(at - share * length, length, whole);
}

/** The view moved by so many milliseconds, as far as the whole goes. */
export function moved(view: View, whole: View, by: number): View {
  return placed(view.from + by, view.to - view.from, whole);
}

/** The view from one moment to another, in any order; null when that is too short to be meant. */
export function viewBetween(one: number, other: number, whole: View): View | null {
  const from = within(Math.min(one, other), whole.from, whole.to);
  const to = within(Math.max(one, other), whole.from, whole.to);
  return to - from < SHORTEST_MS ? null : { from, to };
}

export function isWhole(view: View, whole: View): boolean {
  return view.from <= whole.from && view.to >= whole.to;
}

function placed(from: number, length: number, whole: View): View {
  const start = within(from, whole.from, Math.max(whole.from, whole.to - length));
  return { from: start, to: start + length };
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS_MS: readonly number[] = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY),
];

export type Tick = { at: number; text: string };

/** At most `most` marks at round distances from `origin`. */
export function ticksOf(view: View, origin: number, most: number): Tick[] {
  const step = distanceOf(view, most);
  const first = Math.ceil((view.from - origin) / step - 1e-9);
  const last = Math.floor((view.to - origin) / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const since = (first + index) * step;
    return { at: origin + since, text: tickText(since, step) };
  });
}

/** At most so many marks where the clock of a zone is round: the date at the first of each day, else the clock alone. */
export function momentTicksOf(view: View, most: number, zone: string): Tick[] {
  const step = distanceOf(view, most);
  const exactness = step >= MINUTE ? "minute" : step >= SECOND ? "second" : "millisecond";
  const ticks: Tick[] = [];
  let date = "";
  for (let wall = Math.ceil(wallMs(view.from, zone) / step) * step; wall <= wallMs(view.to, zone); wall += step) {
    const at = instantOf(wall, zone);
    if (at < view.from || at > view.to || at === ticks.at(-1)?.at) continue;
    const iso = new Date(at).toISOString();
    const clock = clockText(iso, zone, exactness);
    const isMidnight = /^00:00[:.0]*$/.test(clock);
    const isNewDay = date !== dateText(iso, zone);
    date = dateText(iso, zone);
    ticks.push({ at, text: !isNewDay ? clock : isMidnight ? date : `${date} ${clock}` });
  }
  return ticks;
}

/** How far marks are from each other. */
function distanceOf({ from, to }: View, most: number): number {
  const length = to - from;
  return STEPS_MS.find((each) => length / each <= most) ?? length / Math.max(1, most);
}

/** Whether something lasts so long that the time since its beginning says little. */
export function isBeyondADay({ from, to }: View): boolean {
  return to - from > DAY;
}

/** Time since the origin, as exact as the distance between marks wants. */
function tickText(since: number, step: number): string {
  if (Math.abs(since) < step / 2) return "0";
  if (step < SECOND && since < SECOND) return `${round(since, step < 1 ? 1 : 0)} ms`;
  if (step < SECOND && since < MINUTE)
    return `${round(since / SECOND, step < 1 ? 4 : step < 10 ? 3 : step < 100 ? 2 : 1)} s`;
  if (since < MINUTE) return `${Math.round(since / SECOND)} s`;
  const seconds =
    step < SECOND ? round((since % MINUTE) / SECOND, 3).padStart(2, "0") : two(Math.round(since / SECOND) % 60);
  if (since < HOUR) return `${Math.floor(since / MINUTE)}:${seconds}`;
  const clock = `${Math.floor((since % DAY) / HOUR)}:${two(Math.floor((since % HOUR) / MINUTE))}`;
  if (since < DAY) return step < MINUTE ? `${clock}:${seconds}` : `${clock} h`;
  return step < DAY ? `${Math.floor(since / DAY)} d ${clock} h` : `${Math.floor(since / DAY)} d`;
}

function round(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** What is worth drawing of a row: inside the view, and not hidden by one of its status before where a pixel holds many. */
export function barsShown(bars: readonly Bar[], view: View, pixels: number, selectedId: string | null): Bar[] {
  const perPixel = (view.to - view.from) / Math.max(1, pixels);
  const drawnTo: Partial<Record<StepStatus, number>> = {};
  return bars.filter((bar) => {
    if (bar.to < view.from || bar.from > view.to) return false;
    const before = drawnTo[bar.status] ?? Number.NEGATIVE_INFINITY;
    if (bar.id !== selectedId && bar.to - before < perPixel / 2) return false;
    drawnTo[bar.status] = bar.to;
    return true;
  });
}
