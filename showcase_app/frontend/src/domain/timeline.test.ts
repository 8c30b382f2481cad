import { describe, expect, it } from "vitest";
import type { StepOut } from "@/api/schema.gen";
import { at, createStep, randomNumbers } from "@/mocks/create-execution";
import {
  type Bar,
  barsOf,
  barsShown,
  isBeyondADay,
  isWhole,
  momentTicksOf,
  moved,
  rowsOf,
  ticksOf,
  viewBetween,
  wholeOf,
  withLevel,
  zoomed,
} from "./timeline";

const ORIGIN = Date.parse(at(0));

/** Segments as [kind, from, to], from the start of the test. */
function segmentsOf(bar: Bar | undefined) {
  return bar?.segments.map(({ kind, from, to }) => [kind, from - ORIGIN, to - ORIGIN]);
}

function ran(from: number, to: number, row: Partial<StepOut> = {}) {
  return createStep({ created_at: at(from), started_at: at(from), completed_at: at(to), status: "completed", ...row });
}

describe("a bar", () => {
  it("is queued until it starts, then runs until it ends", () => {
    const [bar] = barsOf([ran(0, 300, { started_at: at(100) })], [], ORIGIN);
    expect(segmentsOf(bar)).toEqual([
      ["queued", 0, 100],
      ["running", 100, 300],
    ]);
  });

  it("goes on until now while it has not ended, and is never shorter than nothing", () => {
    const step = createStep({ created_at: at(100), started_at: at(100) });
    expect(segmentsOf(barsOf([step], [], ORIGIN + 400)[0])).toEqual([["running", 100, 400]]);
    expect(segmentsOf(barsOf([step], [], ORIGIN)[0])).toEqual([]); // the reader's clock is behind the server's
  });

  it("begins with the delay that the attempt before it asked for", () => {
    const first = ran(0, 50, { status: "failed", routes: { next: "retry", delay_seconds: 0.2 } });
    const second = ran(50, 400, { attempt: 2, started_at: at(300) });
    expect(segmentsOf(barsOf([first, second], [], ORIGIN)[1])).toEqual([
      ["retry_delay", 50, 250],
      ["queued", 250, 300],
      ["running", 300, 400],
    ]);
  });

  it("waits for a person between the question and the answer", () => {
    const question = { step_execution_id: "step-1-1", created_at: at(20), completed_at: at(900) };
    expect(segmentsOf(barsOf([ran(0, 950)], [question], ORIGIN)[0])).toEqual([
      ["running", 0, 20],
      ["waiting", 20, 900],
      ["running", 900, 950],
    ]);
    const open = createStep({ status: "waiting" });
    expect(segmentsOf(barsOf([open], [{ ...question, completed_at: null }], ORIGIN + 500)[0])).toEqual([
      ["running", 0, 20],
      ["waiting", 20, 500],
    ]);
  });
});

describe("rows", () => {
  it("are one for each step, in the order in which the steps began", () => {
    const steps = [
      ran(0, 10, { step_id: "b" }),
      ran(10, 20, { step_id: "a" }),
      ran(20, 30, { step_id: "b", iteration: 2 }),
    ];
    const rows = rowsOf(barsOf(steps, [], ORIGIN));
    expect(rows.map((row) => [row.stepId, row.bars.length])).toEqual([
      ["b", 2],
      ["a", 1],
    ]);
  });

  it("hold every bar once, and no two that overlap", () => {
    const draw = randomNumbers(7);
    const steps = Array.from({ length: 300 }, (_, index) => {
      const from = draw(1000);
      return ran(from, from + draw(100), { step_id: `step ${draw(8)}`, step_execution_id: String(index) });
    });
    const rows = rowsOf(barsOf(steps, [], ORIGIN));
    expect(rows.flatMap((row) => row.bars.map((bar) => Number(bar.id))).sort((a, b) => a - b)).toEqual([
      ...steps.keys(),
    ]);
    expect(rows.filter((row) => row.isFirst)).toHaveLength(8);
    for (const { bars } of rows) {
      for (const [index, bar] of bars.entries()) expect(bar.from).toBeGreaterThanOrEqual(bars[index - 1]?.to ?? 0);
    }
  });

  it("leave out what lies outside of the view, and what a pixel has no room for", () => {
    const bars = barsOf([ran(0, 1), ran(1, 2, { attempt: 2 }), ran(500, 600, { attempt: 3 })], [], ORIGIN);
    const shown = (from: number, to: number, selected: string | null = null) =>
      barsShown(bars, { from: ORIGIN + from, to: ORIGIN + to }, 100, selected).map((bar) => bar.attempt);
    expect(shown(0, 10)).toEqual([1, 2]);
    expect(shown(0, 1000)).toEqual([1, 3]);
    expect(shown(0, 1000, "step-1-2")).toEqual([1, 2, 3]);
  });

  it("draws one that failed among many that did not", () => {
    const bars = barsOf(
      [1, 2, 3, 4].map((attempt) =>
        ran(attempt, attempt + 1, { attempt, status: attempt === 3 ? "failed" : "completed" }),
      ),
      [],
      ORIGIN,
    );
    const shown = barsShown(bars, { from: ORIGIN, to: ORIGIN + 1000 }, 100, null);
    expect(shown.map((bar) => bar.attempt)).toEqual([1, 3]);
  });
});

describe("a view", () => {
  const whole = { from: 0, to: 1000 };

  it("has something in it even where nothing took time", () => {
    const view = wholeOf([], null, ORIGIN);
    expect(view.to).toBeGreaterThan(view.from);
  });

  it("keeps what is under the pointer in its place", () => {
    expect(zoomed(whole, whole, 250, 0.5)).toEqual({ from: 125, to: 625 });
  });

  it("can be dragged in any direction", () => {
    expect(viewBetween(700, 200, whole)).toEqual({ from: 200, to: 700 });
    expect(viewBetween(200, 200, whole)).toBeNull();
  });

  it("never leaves the whole, whatever is done to it", () => {
    const draw = randomNumbers(3);
    let view = whole;
    for (let times = 0; times < 2000; times += 1) {
      const at = view.from + (draw(1001) / 1000) * (view.to - view.from);
      view = draw(2) === 0 ? zoomed(view, whole, at, 0.3 + draw(300) / 100) : moved(view, whole, draw(4000) - 2000);
      expect(view.from).toBeGreaterThanOrEqual(whole.from);
      expect(view.to).toBeLessThanOrEqual(whole.to + 1e-6);
      expect(view.to).toBeGreaterThan(view.from);
    }
    expect(isWhole(zoomed(view, whole, 500, 1e6), whole)).toBe(true);
  });
});

describe("ticks", () => {
  it.each([
    [0, 1000, ["0", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]],
    [1200, 1260, ["1.2 s", "1.22 s", "1.24 s", "1.26 s"]],
    [0, 15_000, ["0", "5 s", "10 s", "15 s"]],
    [0, 240_000, ["0", "1:00", "2:00", "3:00", "4:00"]],
    [0, 7_200_000, ["0", "30:00", "1:00 h", "1:30 h", "2:00 h"]],
    [0, 259_200_000, ["0", "1 d", "2 d", "3 d"]],
  ])("from %d to %d ms read %j", (from, to, texts) => {
    expect(ticksOf({ from, to }, 0, 5).map((tick) => tick.text)).toEqual(texts);
  });

  it("are never more than there is room for, and all inside", () => {
    const draw = randomNumbers(11);
    for (let times = 0; times < 500; times += 1) {
      const from = draw(1e9);
      const to = from + 1 + draw(10 ** (1 + draw(10)));
      const ticks = ticksOf({ from, to }, 0, 6);
      expect(ticks.length).toBeLessThanOrEqual(7);
      for (const tick of ticks) expect(tick.at >= from - 1 && tick.at <= to + 1).toBe(true);
    }
  });
});

describe("the axis of what goes on for days", () => {
  const texts = (from: string, to: string, most: number, zone: string) =>
    momentTicksOf({ from: Date.parse(from), to: Date.parse(to) }, most, zone).map(({ text }) => text);

  it("has dates, each once, and clocks between them, round in the zone", () => {
    expect(texts("2026-11-27T20:10:00Z", "2026-11-29T04:00:00Z", 6, "Asia/Kolkata")).toEqual([
      "2026-11-28 06:00",
      "12:00",
      "18:00",
      "2026-11-29",
      "06:00",
    ]);
    expect(texts("2026-11-20T10:00:00Z", "2026-11-23T10:00:00Z", 4, "UTC")).toEqual([
      "2026-11-21",
      "2026-11-22",
      "2026-11-23",
    ]);
  });

  it("goes on in order over a night on which clocks are put back, and names the hour that comes twice", () => {
    const view = { from: Date.parse("2026-10-24T22:00:00Z"), to: Date.parse("2026-10-25T03:30:00Z") };
    const ticks = momentTicksOf(view, 6, "Europe/Berlin");
    expect(ticks.map(({ text }) => text)).toEqual(["2026-10-25", "01:00", "02:00 +02:00", "03:00", "04:00"]);
    expect(ticks.map(({ at }) => at)).toEqual([...ticks.map(({ at }) => at)].sort((a, b) => a - b));
  });

  it("is for what lasts longer than a day", () => {
    expect([86_400_000, 86_400_001].map((to) => isBeyondADay({ from: 0, to }))).toEqual([false, true]);
  });
});

it("what is within a step stands below all rows of it, and is cut where that would be many", () => {
  const rows = rowsOf(
    barsOf([ran(0, 9, { step_id: "a" }), ran(1, 9, { step_id: "a", iteration: 2 }), ran(3, 4)], [], ORIGIN),
  );
  const runs = [1, 2, 3].map((iteration) => ran(0, 9, { step_id: "a", iteration, within: "a#1" }));
  const level = { stepId: "a", runs, total: runs.length, chosen: null, choose: () => undefined };
  const shown = withLevel(rows, level, ORIGIN, 2);
  expect(shown.map((row) => [row.stepId, row.isInner ?? false])).toEqual([
    ["a", false],
    ["a", false],
    ["in a", true],
    ["in a", true],
    ["step", false],
  ]);
  expect(new Set(shown.map((row) => row.key)).size).toBe(5);
  expect(withLevel(rows, { ...level, stepId: "gone" }, ORIGIN, 9).filter((row) => row.isInner)).toHaveLength(3);
});
