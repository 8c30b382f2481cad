import { describe, expect, it } from "vitest";
import type { StepOut } from "@/api/schema.gen";
import { at, createStep } from "@/mocks/create-execution";
import { graphOf } from "@/mocks/create-graph";
import { secondsAt, timesByStep, timesText, waitsForPersonSince } from "./durations";
import { runsOf } from "./runs";
import { barsOf } from "./timeline";

const ORIGIN = Date.parse(at(0));

function ran(from: number, to: number | null, row: Partial<StepOut> = {}) {
  const status = to === null ? "running" : "completed";
  const times = { created_at: at(from), started_at: at(from), completed_at: to === null ? null : at(to) };
  return createStep({ step_id: "charge", status, ...times, ...row });
}

function secondsOf(steps: StepOut[], questions: Parameters<typeof timesByStep>[1] = [], now = 0) {
  const times = timesByStep(steps, questions).get("charge");
  return times === undefined ? undefined : secondsAt(times, ORIGIN + now);
}

const failed = ran(0, 3000, { started_at: at(1000), status: "failed", routes: { next: "retry", delay_seconds: 4 } });
const paid = ran(3000, 10_000, { attempt: 2, started_at: at(8000) });

describe("the times of a step", () => {
  it("are those of all its attempts: what they ran, and what they waited for", () => {
    expect(secondsOf([failed, paid])).toEqual({ runSeconds: 4, waitingSeconds: 6 });
    expect(secondsOf([ran(0, 100), ran(200, 500, { iteration: 2 })])).toEqual({ runSeconds: 0.4, waitingSeconds: 0 });
  });

  it("count the wait for a person as waiting", () => {
    const question = { step_execution_id: "charge-1-1", created_at: at(2000), completed_at: at(9000) };
    expect(secondsOf([ran(0, 10_000)], [question])).toEqual({ runSeconds: 3, waitingSeconds: 7 });
    const open = { ...question, completed_at: null };
    expect(secondsOf([ran(0, null, { status: "waiting" })], [open], 5000)).toEqual({
      runSeconds: 2,
      waitingSeconds: 3,
    });
    const [times] = timesByStep([ran(0, null, { status: "waiting" })], [open]).values();
    expect(times === undefined ? null : waitsForPersonSince(times)).toBe(ORIGIN + 2000);
  });

  it("go on while it runs, and count no delay before it has passed", () => {
    expect(secondsOf([ran(0, null)], [], 1500)).toEqual({ runSeconds: 1.5, waitingSeconds: 0 });
    const delayed = ran(3000, null, { attempt: 2, started_at: null, status: "pending" });
    expect(secondsOf([failed, delayed], [], 4000)).toEqual({ runSeconds: 2, waitingSeconds: 2 });
    expect(secondsOf([failed, delayed], [], 9000)).toEqual({ runSeconds: 2, waitingSeconds: 7 });
  });

  it("are one number in the graph, the list and the timeline", () => {
    const steps = [failed, paid, ran(11_000, 12_000, { iteration: 2 })];
    const run = runsOf(steps, [], graphOf([["charge", "end"]])).get("charge");
    const drawn = barsOf(steps, [], ORIGIN).flatMap((bar) => bar.segments);
    const inTimeline = drawn.filter(({ kind }) => kind === "running").map(({ from, to }) => to - from);
    const inList = secondsOf(steps)?.runSeconds;
    expect(inList).toBe(5);
    expect(run?.times == null ? null : secondsAt(run.times, ORIGIN).runSeconds).toBe(inList);
    expect(inTimeline.reduce((one, other) => one + other, 0) / 1000).toBe(inList);
  });

  it("have names", () => {
    const text = (steps: StepOut[]) => [...timesByStep(steps, []).values()].map((times) => timesText(times, ORIGIN));
    expect(text([failed, paid])).toEqual(["run time 4.0 s, waiting 6.0 s, all 2 attempts"]);
    expect(text([ran(0, null, { started_at: null, status: "pending" })])).toEqual(["not begun"]);
  });
});
