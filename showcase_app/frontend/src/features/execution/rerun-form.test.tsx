import { EditorView } from "@codemirror/view";
import { act, cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { AheadOut, ExecutionDetail, ProblemDetails, StepDetail } from "@/api/schema.gen";
import { parseJson, stringifyJson } from "@/domain/json";
import { createExecution, createExecutionRow, createStep } from "@/mocks/create-execution";
import { createPipeline } from "@/mocks/create-pipeline";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { RerunForm } from "./rerun-form";

const RERUN = "POST /api/executions/execution/rerun";
const PLAN = `${RERUN}/plan`;
const server = new FakeServer();
const choose = vi.fn();

const score = createStep({
  step_id: "score",
  step_name: "Score",
  status: "completed",
  completed_at: "2026-01-01T00:00:01Z",
});
const failed = createExecution({ status: "failed", pipeline_version: 1, steps: [score] });
const definition = {
  steps: [
    {
      id: "score",
      input_schema: { type: "object", properties: { n: { type: "number", title: "N" } }, required: ["n"] },
    },
  ],
};
const plan: AheadOut = {
  kept: [{ step_id: "load", iteration: 1 }],
  begins: [{ step_id: "score", iteration: 1 }],
  by_hand: null,
  asked_again: [],
  items: null,
  steps: [
    {
      step_id: "score",
      step_name: "Score",
      effect: null,
      effect_text: "not said: may have effects",
      may_have_effects: true,
      runs: 1,
    },
    { step_id: "end", step_name: "Tell", effect: "read", effect_text: "read", may_have_effects: false, runs: 0 },
  ],
};

beforeEach(() => {
  server.install();
  choose.mockReset();
  server.on("GET /api/pipelines/pipeline", () => json(200, createPipeline({ definition })));
  server.on("GET /api/pipelines/pipeline/versions", () => json(200, { items: [], next_cursor: null }));
  server.on("GET /api/executions/execution/payloads", () =>
    json(200, { execution_id: "execution", input_data: parseJson('{"day": 1.0}'), output_data: null, metadata: null }),
  );
  server.on(`GET /api/executions/execution/steps/${score.step_execution_id}`, () =>
    json(200, { ...score, output_data: { points: 3 } }),
  );
  server.on(`GET /api/executions/execution/steps/${score.step_execution_id}/input`, () =>
    json(200, { step_input: parseJson('{"n": 1.50}') }),
  );
  server.on(PLAN, () => json(200, plan));
  server.on(RERUN, () => json(202, createExecutionRow({ execution_id: "begun" })));
});

afterEach(() => {
  cleanup();
  server.remove();
});

function show(attempt: StepDetail | null, execution: ExecutionDetail = failed): void {
  renderAt("/", [
    { path: "/", element: <RerunForm execution={execution} attempt={attempt} onChoose={choose} /> },
    { path: "/executions/begun", element: <p>its page</p> },
  ]);
}

const on = async (name: string) => fireEvent.click(await screen.findByRole("radio", { name }));
const again = () => fireEvent.click(screen.getByRole("button", { name: "Run again" }));
const sent = async () => (await server.bodies(RERUN)).map((body) => stringifyJson(body));
const keys = () => server.to(RERUN).map((request) => request.headers.get("Idempotency-Key"));

function write(label: string, text: string): void {
  const view = EditorView.findFromDOM(screen.getByLabelText(label));
  if (view === null) throw new Error("there is no editor");
  act(() => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }));
}

it("says what runs and what that does outside before it is sent", async () => {
  show(score);
  await screen.findByText(/not said: may have effects/);
  screen.getByText("1 step run is kept, with results and answers, and not run again.");
  expect(screen.queryByText("Tell")).toBeNull();
  screen.getByText(/idempotency keys of its own/);
  again();
  await screen.findByText("its page");
  expect(await sent()).toEqual(['{"from_step":"score","iteration":1}']);
});

it("is filled in with what the step got, keeps the text of its numbers, and sends what is changed", async () => {
  show(score);
  await on("Another input");
  const field = await screen.findByLabelText<HTMLInputElement>(/^N/);
  expect(field.value).toBe("1.50");
  await waitFor(async () => {
    const planned = (await server.bodies(PLAN)).map((body) => stringifyJson(body));
    expect(planned.at(-1)).toBe('{"from_step":"score","iteration":1,"step_input":{"n":1.50}}');
  });
  again();
  await screen.findByText("its page");
  expect(await sent()).toEqual(['{"from_step":"score","iteration":1,"step_input":{"n":1.50}}']);
});

it("gives a result in the place of the step's own as JSON, where there is no schema for it", async () => {
  show(score);
  await on("Give its result instead");
  await screen.findByLabelText("Result as JSON");
  write("Result as JSON", '{"points": 1.0}');
  again();
  await screen.findByText("its page");
  expect(await sent()).toEqual(['{"from_step":"score","iteration":1,"step_output":{"points":1.0}}']);
});

it("of a step with a map only the failed items run, and it has no one input that could be another", async () => {
  const mapped = { steps: [{ id: "score", map: { over: "{parameters.documents}" } }] };
  server.on("GET /api/pipelines/pipeline", () => json(200, createPipeline({ definition: mapped })));
  server.on(PLAN, () => json(200, { ...plan, items: { step_id: "score", iteration: 1, kept: 58, runs: 2 } }));
  show(score);
  await on("Only the failed items");
  await screen.findByText("58 items are kept, with results; 2 run.");
  expect(screen.queryByRole("radio", { name: "Another input" })).toBeNull();
  again();
  await screen.findByText("its page");
  expect(await sent()).toEqual(['{"from_step":"score","iteration":1,"items":"failed"}']);
});

it("the whole of it begins with the input that it had", async () => {
  show(null);
  await on("Another input");
  await screen.findByLabelText("Input as JSON");
  again();
  await screen.findByText("its page");
  expect(await sent()).toEqual(['{"input_data":{"day":1.0}}']);
});

it("what is clicked twice has one key", async () => {
  show(score);
  await screen.findByText(/not said/);
  again();
  again();
  await screen.findByText("its page");
  expect(new Set(keys()).size).toBe(1);
  expect(keys()[0]).toMatch(/^[0-9a-f]{32}$/);
});

it("what is sent again after a lost reply has the same key, and something else another one", async () => {
  let lost = 2;
  server.on(RERUN, () => {
    lost -= 1;
    if (lost < 0) return json(202, createExecutionRow({ execution_id: "begun" }));
    throw new TypeError("the connection was closed");
  });
  show(score);
  await screen.findByText(/not said/);
  for (const number of [1, 2]) {
    again();
    await waitFor(() => expect(keys().length).toBe(number));
    await screen.findByText("The server cannot be reached. Is it running?");
  }
  await on("Give its result instead");
  await screen.findByLabelText("Result as JSON");
  again();
  await screen.findByText("its page");
  const [first, second, third] = keys();
  expect([first === second, second === third]).toEqual([true, false]);
});

it("what does not fit the version says from where it would", async () => {
  const problem: ProblemDetails = {
    type: "urn:ia-modules:rerun-refused",
    title: "Rerun refused",
    status: 409,
    detail: "The version does not fit what would be copied: step 'load' has other config.",
    instance: "/",
    misfit: { steps: [{ step_id: "load", detail: "has other config" }], fits_from: "load" },
  };
  server.on(PLAN, () => json(409, problem));
  const load = createStep({ step_id: "load", step_name: "Load" });
  show(score, { ...failed, steps: [load, score] });
  fireEvent.click(await screen.findByRole("button", { name: "From Load instead" }));
  expect(choose).toHaveBeenCalledWith(load);
  server.on(PLAN, () => json(409, { ...problem, misfit: { ...problem.misfit, fits_from: undefined } }));
  cleanup();
  show(score);
  fireEvent.click(await screen.findByRole("button", { name: "Run all of it again" }));
  expect(choose).toHaveBeenLastCalledWith(null);
});

it("what the server refuses stands at its field", async () => {
  server.on(RERUN, () => refusal(422, "Refused", { "step_input.n": "found 1.5; expected less." }));
  show(score);
  await on("Another input");
  await screen.findByLabelText(/^N/);
  again();
  await screen.findByText("found 1.5; expected less.");
});

it("what runs still is not run again, and says why", async () => {
  show(score, { ...failed, status: "running" });
  expect((await screen.findByRole<HTMLButtonElement>("button", { name: "Run again" })).disabled).toBe(true);
});
