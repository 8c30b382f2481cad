/**
 * How long steps took: one definition, for graph, list, timeline and panel. Pure; moments are milliseconds since 1970.
 *
 * - **Run time**: while the code of an attempt ran, from its start to its end, without the wait for a person.
 * - **Waiting**: the rest, from when the attempt was made: for its place in the queue, before a retry, for a person.
 *
 * A step is shown with both for all its attempts, in every iteration; an attempt with its own.
 */
import type { InteractionOut, StepOut } from "@/api/schema.gen";
import { durationText } from "./time";

export type SegmentKind = "retry_delay" | "queued" | "running" | "waiting";
/** A part of an attempt. `to` is Infinity while nobody knows when it ends. */
export type Segment = { kind: SegmentKind; from: number; to: number };

export type Question = Pick<InteractionOut, "step_execution_id" | "created_at" | "completed_at">;

/** What attempts have behind them, and what goes on. */
export type Times = {
  attempts: number;
  /** Whether the code of one of them has begun. */
  begun: boolean;
  /** Of those that have ended. */
  ranMs: number;
  waitedMs: number;
  /** Of those that go on. */
  open: readonly Segment[];
};

const FOREVER = Number.POSITIVE_INFINITY;

/** The parts of every attempt, in their order, which follow each other without a gap; by the id of the attempt. */
export function segmentsByAttempt(
  steps: readonly StepOut[],
  interactions: readonly Question[],
): Map<string, readonly Segment[]> {
  const questions = new Map(interactions.map((question) => [question.step_execution_id, question]));
  const delays = new Map<string, number>(); // of the attempt that follows one that says so
  for (const step of steps) {
    if (step.routes?.next === "retry") {
      delays.set(attemptKey(step, step.attempt + 1), step.routes.delay_seconds * 1000);
    }
  }
  return new Map(
    steps.map((step) => {
      const delay = delays.get(attemptKey(step, step.attempt)) ?? 0;
      return [step.step_execution_id, segmentsOf(step, delay, questions.get(step.step_execution_id))];
    }),
  );
}

function attemptKey(step: StepOut, attempt: number): string {
  return `${step.iteration} ${attempt} ${step.step_id}`;
}

function segmentsOf(step: StepOut, delay: number, question: Question | undefined): Segment[] {
  const from = Date.parse(step.created_at);
  const to = step.completed_at === null ? FOREVER : Math.max(from, Date.parse(step.completed_at));
  const started = step.started_at === null ? to : within(Date.parse(step.started_at), from, to);
  const delayed = within(from + delay, from, started);
  let asks = to;
  let answered = to;
  if (question !== undefined) {
    asks = within(Date.parse(question.created_at), started, to);
    answered = question.completed_at === null ? to : within(Date.parse(question.completed_at), asks, to);
  }
  const segments: Segment[] = [
    { kind: "retry_delay", from, to: delayed },
    { kind: "queued", from: delayed, to: started },
    { kind: "running", from: started, to: asks },
    { kind: "waiting", from: asks, to: answered },
    { kind: "running", from: answered, to },
  ];
  return segments.filter((segment) => segment.to > segment.from);
}

/** What of the parts is over at a moment. */
export function segmentsUntil(segments: readonly Segment[], now: number): Segment[] {
  return segments
    .map((segment) => ({ ...segment, to: Math.min(segment.to, now) }))
    .filter((segment) => segment.to > segment.from);
}

function within(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

const NO_SEGMENTS: readonly Segment[] = [];

/** The times of every step, over all its attempts; by its id. */
export function timesByStep(steps: readonly StepOut[], interactions: readonly Question[]): Map<string, Times> {
  const segments = segmentsByAttempt(steps, interactions);
  const times = new Map<string, Times>();
  for (const step of steps) {
    const one = timesOfAttempt(step, segments.get(step.step_execution_id) ?? NO_SEGMENTS);
    const known = times.get(step.step_id);
    times.set(step.step_id, known === undefined ? one : timesTogether([known, one]));
  }
  return times;
}

export function timesOfAttempt(step: StepOut, segments: readonly Segment[]): Times {
  const times: Times = { attempts: 1, begun: step.started_at !== null, ranMs: 0, waitedMs: 0, open: NO_SEGMENTS };
  if (step.completed_at === null) return { ...times, open: segments };
  return { ...times, ...lengthsOf(segments) };
}

export function timesTogether(all: readonly Times[]): Times {
  return {
    attempts: sum(all.map((times) => times.attempts)),
    begun: all.some((times) => times.begun),
    ranMs: sum(all.map((times) => times.ranMs)),
    waitedMs: sum(all.map((times) => times.waitedMs)),
    open: all.flatMap((times) => times.open),
  };
}

function lengthsOf(segments: readonly Segment[]): { ranMs: number; waitedMs: number } {
  const lengths = { ranMs: 0, waitedMs: 0 };
  for (const { kind, from, to } of segments) lengths[kind === "running" ? "ranMs" : "waitedMs"] += to - from;
  return lengths;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((one, other) => one + other, 0);
}

/** Run time and waiting as they are at a moment, in seconds. */
export function secondsAt(times: Times, now: number): { runSeconds: number; waitingSeconds: number } {
  const open = lengthsOf(segmentsUntil(times.open, now));
  return { runSeconds: (times.ranMs + open.ranMs) / 1000, waitingSeconds: (times.waitedMs + open.waitedMs) / 1000 };
}

/** Since when a person is waited for; null: for none. */
export function waitsForPersonSince({ open }: Times): number | null {
  const waiting = open.filter((segment) => segment.kind === "waiting" && segment.to === FOREVER);
  return waiting.length === 0 ? null : Math.min(...waiting.map((segment) => segment.from));
}

/** Both times with their names: `run time 8.1 s, waiting 2.0 s, all 3 attempts`. */
export function timesText(times: Times, now: number): string {
  const { runSeconds, waitingSeconds } = secondsAt(times, now);
  const parts = [times.begun ? `run time ${durationText(runSeconds)}` : "not begun"];
  if (waitingSeconds > 0) parts.push(`waiting ${durationText(waitingSeconds)}`);
  if (times.attempts > 1) parts.push(`all ${times.attempts} attempts`);
  return parts.join(", ");
}
