import { act, cleanup, fireEvent, screen, within } from "@testing-library/react";
import { useState } from "react";
import { afterEach, expect, it, vi } from "vitest";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
import type { ShownLevel } from "@/domain/timeline";
import { at, createExecution, createInteraction, createRun, createStep } from "@/mocks/create-execution";
import { renderAt } from "@/mocks/render-at";
import { Timeline } from "./timeline";

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const SECOND = 1000;

/** An attempt that was queued from `from`, began at `start` and ended at `end` (null: it runs), in seconds. */
function attempt(step_id: string, from: number, start: number, end: number | null, row: Partial<StepDetail> = {}) {
  return createStep({
    step_id,
    created_at: at(from * SECOND),
    started_at: at(start * SECOND),
    completed_at: end === null ? null : at(end * SECOND),
    status: end === null ? "running" : "completed",
    ...row,
  });
}

let update: (execution: ExecutionDetail) => void = () => undefined;
const chosen: [string, string][] = [];

/** The timeline; what is chosen in it stays selected, as on the page. */
function Page({ first, level = null }: { first: ExecutionDetail; level?: ShownLevel | null }) {
  const [execution, setExecution] = useState(first);
  const [selectedId, setSelectedId] = useState<string | null>(null);
  update = (next) => act(() => setExecution(next));
  return (
    <Timeline
      execution={execution}
      selected={execution.steps.find((step) => step.step_execution_id === selectedId) ?? null}
      onSelect={(stepId, step) => {
        chosen.push([stepId, step.step_execution_id]);
        setSelectedId(step.step_execution_id);
      }}
      level={level}
    />
  );
}

/** The page at a moment, in seconds. */
function show(execution: ExecutionDetail, now = 100, level: ShownLevel | null = null): void {
  vi.useFakeTimers({ now: Date.parse(at(now * SECOND)) });
  chosen.length = 0;
  renderAt("/", [{ path: "/", element: <Page first={execution} level={level} /> }]);
  pass(0.1); // its width is known with the next frame
}

const pass = (seconds: number) => act(() => vi.advanceTimersByTime(seconds * SECOND));
const bars = () => screen.getAllByRole("option");
const bar = (name: RegExp) => screen.getByRole("option", { name });
const sentences = () => bars().map((each) => each.getAttribute("aria-label"));
const press = (key: string) => fireEvent.keyDown(screen.getByRole("listbox"), { key });

function segments(of: HTMLElement): [string | undefined, number][] {
  return [...of.querySelectorAll<HTMLElement>("[data-kind]")].map((each) => [
    each.dataset.kind,
    Number(each.style.flexGrow) / SECOND,
  ]);
}

const retried = [
  attempt("charge", 0, 1, 3, { status: "failed", routes: { next: "retry", delay_seconds: 4 } }),
  attempt("charge", 3, 8, 10, { attempt: 2 }),
];

it("a bar is split into the delay before a retry, the time in the queue and the time it ran", () => {
  show(createExecution({ status: "completed", completed_at: at(10 * SECOND), steps: retried }));
  expect(sentences()).toEqual([
    "charge: Failed, queued 1.0 s, running 2.0 s",
    "charge, attempt 2: Completed, delay before a retry 4.0 s, queued 1.0 s, running 2.0 s",
  ]);
  expect(bars().map(segments)).toEqual([
    [
      ["queued", 1],
      ["running", 2],
    ],
    [
      ["retry_delay", 4],
      ["queued", 1],
      ["running", 2],
    ],
  ]);
});

it("a bar has the time that a person took, between the times it ran", () => {
  const asks = attempt("approve", 0, 0, 20);
  const question = createInteraction({
    step_execution_id: asks.step_execution_id,
    created_at: at(5 * SECOND),
    completed_at: at(18 * SECOND),
  });
  show(createExecution({ steps: [asks], interactions: [question] }));
  expect(segments(bar(/approve/))).toEqual([
    ["running", 5],
    ["waiting", 13],
    ["running", 2],
  ]);
  expect(screen.getByText("Waiting for a person")).toBeTruthy();
});

it("bars lie where their times do, and steps that ran side by side overlap", () => {
  show(createExecution({ steps: [attempt("a", 0, 0, 10), attempt("b", 5, 5, 20)] }));
  const places = bars().map(({ style }) => [style.left, style.width]);
  expect(places).toEqual([
    ["0%", "50%"],
    ["25%", "75%"],
  ]);
});

it("what runs grows by the clock, and stands still once it has ended", () => {
  const running = createExecution({ steps: [attempt("a", 0, 0, 10), attempt("b", 10, 10, null)] });
  show(running, 20);
  expect(bar(/^b/).getAttribute("aria-label")).toBe("b: Running, running 10 s");
  pass(10);
  expect(bar(/^b/).getAttribute("aria-label")).toBe("b: Running, running 20 s");
  expect(bar(/^a/).getAttribute("aria-label")).toBe("a: Completed, running 10 s");
  expect([bar(/^a/).style.width, bar(/^b/).style.width].map((width) => Math.round(Number.parseFloat(width)))).toEqual([
    33, 67,
  ]);
  const steps = [attempt("a", 0, 0, 10), attempt("b", 10, 10, 40)];
  update(createExecution({ sequence: 2, status: "completed", completed_at: at(40 * SECOND), steps }));
  pass(600);
  expect(bar(/^b/).getAttribute("aria-label")).toBe("b: Completed, running 30 s");
});

it("a bar and keys choose an attempt, and what happens meanwhile does not take it away", () => {
  show(createExecution({ steps: [attempt("a", 0, 0, 5), ...retried] }));
  fireEvent.click(bar(/^charge: Failed/));
  expect(chosen).toEqual([["charge", "charge-1-1"]]);
  const selected = () => screen.getAllByRole("option", { selected: true }).map(({ dataset }) => dataset.bar);
  update(
    createExecution({
      sequence: 2,
      steps: [attempt("a", 0, 0, 5), ...retried, attempt("charge", 10, 10, null, { attempt: 3 })],
    }),
  );
  pass(1);
  expect(selected()).toEqual(["charge-1-1"]);
  press("ArrowRight");
  expect(selected()).toEqual(["charge-1-2"]);
  press("ArrowUp");
  expect(selected()).toEqual(["a-1-1"]);
  expect(chosen).toHaveLength(3);
});

it("stays where somebody zoomed in while it goes on, and shows all of it again on request", () => {
  show(createExecution({ steps: [attempt("a", 0, 0, 100), attempt("b", 40, 40, null)] }), 100);
  const width = () => Number.parseFloat(bar(/^a/).style.width);
  expect(width()).toBe(100);
  press("+");
  const closer = width();
  expect(closer).toBeCloseTo(100 / 0.6, 3);
  pass(100);
  expect(width()).toBeCloseTo(closer, 3);
  press("0");
  expect(width()).toBeCloseTo(50, 3);
});

it("the legend names what there is and nothing else", () => {
  show(createExecution({ status: "failed", completed_at: at(10 * SECOND), steps: retried }));
  const head = screen.getByRole("heading", { name: "Timeline" }).parentElement as HTMLElement;
  const words = ["Failed", "Completed", "Queued", "Delay before a retry"];
  for (const word of words) expect(within(head).getByText(word)).toBeTruthy();
  expect(within(head).queryByText("Waiting for a person")).toBeNull();
});

it("what was copied is marked as that", () => {
  show(createExecution({ steps: [attempt("load", 0, 0, 0, { copied_from: "before" }), attempt("store", 0, 0, 1)] }));
  const [copied, ran] = sentences();
  expect(copied).toBe("load: Completed, copied from an earlier execution");
  expect(ran).not.toContain("copied");
});

it("what is within the chosen step stands below it, and is chosen like a step", () => {
  const runs = [1, 2].map((iteration) =>
    createRun({
      step_id: "ask",
      step_name: "ask",
      iteration,
      created_at: at(iteration * SECOND),
      started_at: at(iteration * SECOND),
      completed_at: at((iteration + 1) * SECOND),
      status: "completed",
    }),
  );
  const choices: string[] = [];
  const [first, second] = runs.map((run) => run.step_execution_id);
  const level = {
    stepId: "a",
    runs,
    total: runs.length,
    chosen: second ?? null,
    choose: (id: string) => choices.push(id),
  };
  show(createExecution({ status: "completed", steps: [attempt("a", 0, 0, 4), attempt("b", 4, 4, 5)] }), 100, level);
  const shown = () =>
    bars().map((each) => [each.getAttribute("aria-label")?.split(":")[0], each.getAttribute("aria-selected")]);
  expect(shown()).toEqual([
    ["a", "false"],
    ["ask", "false"],
    ["ask, iteration 2", "true"],
    ["b", "false"],
  ]);
  fireEvent.keyDown(screen.getByRole("listbox"), { key: "ArrowLeft" });
  expect(choices).toEqual([first]);
  fireEvent.click(bar(/^b:/));
  expect(chosen).toEqual([["b", "b-1-1"]]);
});
