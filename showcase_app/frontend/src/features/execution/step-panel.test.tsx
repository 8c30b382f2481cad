import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { type ReactNode, useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
import { NO_LINES } from "@/domain/log-lines";
import type { ShownLevel } from "@/domain/timeline";
import {
  at,
  createExecution,
  createInteraction,
  createLine,
  createPlace,
  createRun,
  createStep,
} from "@/mocks/create-execution";
import { FakeServer, json } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { StepPanel } from "./step-panel";
import { useSelection } from "./use-selection";

const LOGS = "GET /api/executions/execution/logs";
const RUNS = "GET /api/executions/execution/runs";
const server = new FakeServer();

beforeEach(() => {
  server.install();
  server.on(RUNS, () => json(200, { items: [], next_cursor: null, by_status: {} }));
  server.on(LOGS, () => json(200, { items: [createLine({ message: "Asking the bank" })], next_cursor: null }));
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.useRealTimers();
});

let shownLevel: ShownLevel | null = null;
let update: (execution: ExecutionDetail) => void = () => undefined;

function Panel({ first }: { first: ExecutionDetail }): ReactNode {
  const [execution, setExecution] = useState(first);
  update = (next) => act(() => setExecution(next));
  const selection = useSelection(execution.steps);
  const [level, setLevel] = useState<ShownLevel | null>(null);
  shownLevel = level;
  return (
    <StepPanel
      execution={execution}
      selection={selection}
      stepId="charge"
      node={undefined}
      nameOf={(stepId) => stepId}
      heard={NO_LINES}
      onLevel={setLevel}
    />
  );
}

/** The panel of the step "charge"; the server has the payloads of its attempts. */
function show(execution: ExecutionDetail, address = "/?step=charge") {
  for (const step of execution.steps) {
    server.on(`GET /api/executions/execution/steps/${step.step_execution_id}`, () => json(200, step));
  }
  return renderAt(address, [{ path: "/", element: <Panel first={withoutPayloads(execution)} /> }]);
}

/** Rows as the socket brings them. */
function withoutPayloads(execution: ExecutionDetail): ExecutionDetail {
  const unread = { input_data: null, output_data: null, traceback: null, input_refs: null };
  return { ...execution, steps: execution.steps.map((step) => ({ ...step, ...unread })) };
}

function charge(row: Partial<StepDetail> = {}): StepDetail {
  return createStep({ step_id: "charge", step_name: "Charge", ...row });
}

const ended = { completed_at: at(2000), duration_seconds: 2 };
const failed = charge({
  ...ended,
  status: "failed",
  input_data: { amount: 20 },
  output_data: null,
  error_type: "CardDeclined",
  error_message: "no funds",
  traceback: 'File "steps.py", line 7',
  routes: { next: "retry", delay_seconds: 1 },
});
const paid = charge({
  ...ended,
  attempt: 2,
  status: "completed",
  input_data: { amount: 20 },
  output_data: { receipt: "R-17" },
});

const tab = (name: string) => screen.getByRole("tab", { name });
const open = (name: string) => fireEvent.click(tab(name));
const shownTab = () => screen.getByRole("tab", { selected: true }).textContent;
const panel = () => screen.getByRole("tabpanel");

it("input, output, error, logs and attempts have a tab each", async () => {
  show(createExecution({ steps: [failed, paid] }));
  await waitFor(() => expect(panel().textContent).toContain("R-17"));
  open("Input");
  await waitFor(() => expect(panel().textContent).toContain("amount"));
  expect(panel().textContent).not.toContain("R-17");
  open("Error");
  expect(panel().textContent).toContain("It has no error.");
  open("Logs");
  await within(panel()).findByText("Asking the bank");
  expect(new URL(server.to(LOGS)[0]?.url ?? "").searchParams.get("step_execution_id")).toBe(paid.step_execution_id);
  open("Attempts");
  const rows = within(panel()).getAllByRole("row").slice(1);
  expect(rows.map((row) => row.textContent)).toEqual(["11Failed2.0 sCardDeclined", "12Completed2.0 s"]);
});

it("an input that did not resolve is named above the input", async () => {
  const left_out = [{ where: "inputs.tip", why: "steps.menu.output.tip, but the output of step 'menu' has no 'tip'" }];
  show(createExecution({ steps: [{ ...paid, input_refs: { parents: [], state: false, left_out } }] }));
  open("Input");
  await waitFor(() => expect(panel().textContent).toContain("inputs.tip was left out: steps.menu.output.tip, but"));
});

it("an error has its type, its message and its traceback", async () => {
  show(createExecution({ steps: [failed] }));
  expect(shownTab()).toBe("Error");
  expect(panel().textContent).toContain("CardDeclined: no funds");
  expect((await screen.findByRole("region", { name: "Traceback" })).textContent).toContain("steps.py");
});

it("a traceback begins with the reader's own frames, and ours are opened when they are wanted", async () => {
  const ours = '  File "/venv/site-packages/ia_modules/pipeline/executor.py", line 9, in run\n    await call()';
  const own = '  File "/shop/steps.py", line 7, in run\n    raise CardDeclined("no funds")';
  const traceback = `Traceback (most recent call last):\n${ours}\n${own}\nCardDeclined: no funds\n`;
  show(createExecution({ steps: [{ ...failed, traceback }] }));
  const region = await screen.findByRole("region", { name: "Traceback" });
  const folded = within(region).getByText("1 frame of ia_modules").closest("details");
  expect(folded?.open).toBe(false);
  expect(folded?.textContent).toContain("executor.py");
  expect([...region.querySelectorAll(":scope > pre")].map((each) => each.textContent).join("")).toContain("steps.py");
  expect([...region.querySelectorAll(":scope > pre")].map((each) => each.textContent).join("")).not.toContain(
    "executor.py",
  );
});

it.each([
  ["one that failed at its error", failed, "Error"],
  ["one that completed at its output", paid, "Output"],
  ["one that runs at its logs", charge(), "Logs"],
])("opens %s", (_, attempt, name) => {
  show(createExecution({ steps: [attempt] }));
  expect(shownTab()).toBe(name);
});

it("another attempt is chosen in the table, and its payloads are read then", async () => {
  const { router } = show(createExecution({ steps: [failed, paid] }));
  open("Attempts");
  expect(server.to(`GET /api/executions/execution/steps/${failed.step_execution_id}`)).toEqual([]);
  fireEvent.click(screen.getByRole("button", { name: "Show iteration 1, attempt 1" }));
  expect(router.state.location.search).toContain("run=1.1");
  open("Input");
  await waitFor(() => expect(panel().textContent).toContain("amount"));
  expect(server.to(`GET /api/executions/execution/steps/${failed.step_execution_id}`)).toHaveLength(1);
});

it("what happens meanwhile takes nobody away from the attempt and the tab they chose", async () => {
  show(createExecution({ steps: [failed] }), "/?step=charge&run=1.1&tab=error");
  await screen.findByRole("region", { name: "Traceback" });
  update(createExecution({ sequence: 2, steps: [failed, paid] }));
  expect(shownTab()).toBe("Error");
  expect(panel().textContent).toContain("no funds");
  expect(screen.getByRole("radio", { checked: true })).toHaveProperty("value", failed.step_execution_id);
});

it("where no attempt is chosen, the newest one is shown as soon as there is one", async () => {
  show(createExecution({ steps: [failed] }));
  server.on(`GET /api/executions/execution/steps/${paid.step_execution_id}`, () => json(200, paid));
  update(createExecution({ sequence: 2, steps: [failed, paid] }));
  expect(screen.getByRole("radio", { checked: true })).toHaveProperty("value", paid.step_execution_id);
  await waitFor(() => expect(panel().textContent).toContain("R-17"));
});

it("reads the payloads again when an attempt ends, and not at each sign of progress", async () => {
  const running = charge({ sequence: 1, input_bytes: 14 });
  const place = `GET /api/executions/execution/steps/${running.step_execution_id}`;
  show(createExecution({ steps: [running] }), "/?step=charge&tab=output");
  await waitFor(() => expect(panel().textContent).toContain("It has not ended yet."));
  update(createExecution({ sequence: 2, steps: [{ ...running, sequence: 2, progress: 0.5 }] }));
  const end = { ...running, ...ended, status: "completed", sequence: 3, output_bytes: 18 } as const;
  server.on(place, () => json(200, { ...end, output_data: { receipt: "R-18" } }));
  expect(server.to(place)).toHaveLength(1);
  update(createExecution({ sequence: 3, steps: [end] }));
  await waitFor(() => expect(panel().textContent).toContain("R-18"));
  expect(server.to(place)).toHaveLength(2);
});

it("the time of what runs goes on by the clock, and stands still once it has ended", () => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"], now: Date.parse(at(12_000)) });
  show(createExecution({ steps: [charge()] }));
  const time = () => screen.getByText("Run time").nextElementSibling?.textContent;
  expect(time()).toBe("12 s");
  act(() => vi.advanceTimersByTime(3000));
  expect(time()).toBe("15 s");
  update(createExecution({ sequence: 2, steps: [charge({ status: "completed", completed_at: at(16_000) })] }));
  act(() => vi.advanceTimersByTime(60_000));
  expect(time()).toBe("16 s");
});

it("a question is shown with its deadline, and then with the person who answered", async () => {
  const waiting = charge({ status: "waiting" });
  const question = createInteraction({
    step_execution_id: waiting.step_execution_id,
    prompt: "Charge it?",
    deadline_at: at(3_600_000),
  });
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"], now: Date.parse(at(0)) });
  show(createExecution({ steps: [waiting], interactions: [question] }));
  const note = () => document.querySelector("[data-asks]")?.textContent;
  await screen.findByText("Charge it?", { selector: "p" }); // drawn as Markdown
  expect(note()).toBe("Charge it?Deadline: in 1 h 00 min In the inbox");
  const answered = { ...question, status: "answered", actor: "ada", completed_at: at(0) } as const;
  update(createExecution({ sequence: 2, steps: [waiting], interactions: [answered] }));
  expect(note()).toBe("Charge it?Answered by ada (not verified) now In the inbox");
  expect(screen.getByRole("link", { name: "In the inbox" }).getAttribute("href")).toBe("/inbox/interaction");
  const several = { ...answered, answers: 2, answered_by: 3 };
  update(createExecution({ sequence: 3, steps: [waiting], interactions: [several] }));
  expect(note()).toBe("Charge it?Answered by 3 people now In the inbox");
});

it("an attempt that waits for its time says when it begins", () => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"], now: Date.parse(at(0)) });
  show(
    createExecution({ steps: [charge({ status: "pending", started_at: null, attempt: 2, wake_at: at(3_600_000) })] }),
  );
  expect(screen.getByText("Begins").nextElementSibling?.textContent).toBe("in 1 h 00 min");
});

it("a step that has not begun says so", () => {
  show(createExecution());
  expect(screen.getByText(/It has not begun/)).toBeTruthy();
  update(createExecution({ sequence: 2, status: "completed", completed_at: at(1) }));
  expect(screen.getByText("It did not run in this execution.")).toBeTruthy();
});

const around = charge({ ...ended, status: "completed", output_data: { receipt: "R-17" } });
const answeredRun = createRun({ within: "charge#1", step_id: "ask", status: "completed", ...ended });
const refusedRun = createRun({
  within: "charge#1",
  step_id: "ask",
  iteration: 2,
  attempt: 2,
  created_at: at(-1000),
  status: "failed",
  error_type: "OSError",
  error_message: "no answer",
  ...ended,
});

/** The server has two runs within the step, the second with two attempts, and one within that. */
function withRuns() {
  server.on(RUNS, (request) => {
    const query = new URL(request.url).searchParams;
    const level = {
      "charge#1": [answeredRun, refusedRun],
      "charge#1/ask#2": [createRun({ within: "charge#1/ask#2", step_id: "look", step_name: "look" })],
    };
    const every = level[query.get("within") as keyof typeof level] ?? [];
    const items = every.filter((run) => [null, String(run.status)].includes(query.get("status")));
    const by_status = Object.fromEntries(every.map((run) => [run.status, 1]));
    return json(200, { items, next_cursor: null, by_status });
  });
  server.on("GET /api/executions/execution/steps", (request) => {
    const query = new URL(request.url).searchParams;
    const attempts = [1, 2].map((attempt) =>
      createStep({
        ...ended,
        within: query.get("within") ?? "",
        step_id: query.get("step_id") ?? "",
        iteration: Number(query.get("iteration")),
        attempt,
        status: "failed",
        error_type: "OSError",
        error_message: `no answer ${attempt}`,
      }),
    );
    for (const each of attempts) {
      server.on(`GET /api/executions/execution/steps/${each.step_execution_id}`, () => json(200, each));
    }
    return json(200, { items: attempts, next_cursor: null });
  });
  return show(createExecution({ status: "completed", steps: [around] }));
}

it("what is within a step is counted by status, narrowed, and listed as it began", async () => {
  withRuns();
  const section = await screen.findByRole("region", { name: "Within this step" });
  const names = () => within(section).getAllByRole("row").slice(1);
  expect(names().map((row) => row.querySelector("button")?.textContent)).toEqual(["ask#2", "ask"]);
  expect(within(section).getByText("OSError: no answer")).toBeTruthy();
  expect(shownLevel?.runs.map((run) => run.iteration)).toEqual([2, 1]);
  fireEvent.click(within(section).getByRole("button", { name: "Failed 1" }));
  await waitFor(() => expect(names().map((row) => row.querySelector("button")?.textContent)).toEqual(["ask#2"]));
  expect(within(section).getByRole("button", { name: "All 2" })).toBeTruthy();
});

it("a run within a step opens as a step does, with what is within it, and a way back that keeps the focus", async () => {
  const { router } = withRuns();
  fireEvent.click(await screen.findByRole("button", { name: "ask #2" }));
  const heading = await screen.findByRole("heading", { name: "ask #2" });
  expect(document.activeElement).toBe(heading);
  expect(router.state.location.search).toBe("?step=charge&in=2..ask");
  expect(shownLevel?.chosen).toBe(refusedRun.step_execution_id);
  await screen.findByText("no answer 2", { exact: false });
  fireEvent.click(screen.getByRole("radio", { name: "Failed 1" }));
  await screen.findByText("no answer 1", { exact: false });
  expect(router.state.location.search).toBe("?step=charge&in=2.1.ask");
  const deeper = await screen.findByRole("region", { name: "Within this step" });
  fireEvent.click(within(deeper).getByRole("button", { name: "look" }));
  await screen.findByText("charge#1/ask#2/look#1");
  expect(router.state.location.search).toBe("?step=charge&in=2.1.ask&in=1..look");
  const way = screen.getByRole("navigation", { name: "The runs around it" });
  fireEvent.click(within(way).getByRole("button", { name: "ask #2" }));
  await screen.findByRole("heading", { name: "ask #2" });
  fireEvent.click(screen.getByRole("button", { name: "charge" }));
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("button", { name: "ask #2" })));
  expect(router.state.location.search).toBe("?step=charge");
});

it("an address of a run that is none says so", async () => {
  server.on("GET /api/executions/execution/steps", () => json(200, { items: [], next_cursor: null }));
  show(createExecution({ steps: [around] }), "/?step=charge&in=9..nobody");
  await screen.findByText("There is no such run");
});

it("a call within a step that was lost says what became of its answer, a step of the graph does not", async () => {
  const lost = { step_id: "charge", status: "lost", completed_at: at(3) } as const;
  show(createExecution({ steps: [createStep({ ...lost, step_type: "inner" })] }));
  await screen.findByText(/An answer that it had by then is not on record, nor what it cost/);
  cleanup();
  show(createExecution({ steps: [createStep({ ...lost, step_type: "task" })] }));
  await screen.findByText(/It did not end: its process was gone/);
  expect(screen.queryByText(/not on record, nor what it cost/)).toBeNull();
});

it("an attempt on a cluster says where it runs, with what, and how long it waited; its node's id can be copied", async () => {
  const copied = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
  const place = createPlace({ pid: 6500, resources: { CPU: 1, GPU: 1 }, waited_seconds: 3.2 });
  show(createExecution({ steps: [createStep({ step_id: "charge", place })] }));
  await screen.findByText("process 6500 · 1 CPU, 1 GPU · waited 3.2 s", { exact: false });
  expect(screen.getByText("1dba27…").title).toBe(place.node);
  fireEvent.click(screen.getByRole("button", { name: "Copy the node id" }));
  expect(copied).toHaveBeenCalledExactlyOnceWith(place.node);
});

it("an attempt of this machine has no place on a cluster", async () => {
  show(createExecution({ steps: [createStep({ step_id: "charge" })] }));
  await screen.findByText("Run time");
  expect(screen.queryByText("Ray node")).toBeNull();
});
