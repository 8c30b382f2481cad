import { acceptCompletion, currentCompletions, startCompletion } from "@codemirror/autocomplete";
import { EditorView } from "@codemirror/view";
import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { useState } from "react";
import { Link } from "react-router";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Definition } from "@/api/pipelines";
import type { PipelineDetail, ValidationOut } from "@/api/schema.gen";
import { parseJson } from "@/domain/json";
import { createExecution } from "@/mocks/create-execution";
import { createFormat, createModules } from "@/mocks/create-format";
import { graphOf } from "@/mocks/create-graph";
import { createPipeline } from "@/mocks/create-pipeline";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { DefinitionTab } from "./definition-tab";

const CHECK = "POST /api/definitions/validate";
const SAVE = "PUT /api/pipelines/pipeline";
const ONCE = "POST /api/pipelines/pipeline/run-once";
const server = new FakeServer();

const definition = { name: "Shop", steps: [{ id: "charge", type: "task" }] } as unknown as Definition;
const shop = createPipeline({ name: "Shop", definition, version: 4, current_version: 4 });

beforeEach(() => {
  server.install();
  server.on("GET /api/definitions/schema", () => json(200, createFormat()));
  server.on("GET /api/definitions/code", () => json(200, { patterns: ["own.*"], modules: createModules() }));
  finds({});
});

afterEach(() => {
  cleanup();
  server.remove();
});

/** What the server finds in a definition, whatever it is. */
function finds(found: Partial<ValidationOut>): void {
  const { problems = [], warnings = [], graph = null, default_input = {} } = found;
  const valid = problems.length === 0;
  server.on(CHECK, () => json(200, { valid, problems, warnings, graph, input_schema: {}, default_input }));
}

let update: (pipeline: PipelineDetail) => void = () => undefined;

function Page() {
  const [pipeline, setPipeline] = useState(shop);
  update = (next) => act(() => setPipeline(next));
  return (
    <>
      <Link to="/elsewhere">Elsewhere</Link>
      <DefinitionTab pipeline={pipeline} />
    </>
  );
}

function show() {
  return renderAt("/", [
    { path: "/", element: <Page /> },
    { path: "/elsewhere", element: <p>another page</p> },
    { path: "/executions/:id", element: <p>the execution</p> },
  ]);
}

function editor(): EditorView {
  const view = EditorView.findFromDOM(screen.getByLabelText("Definition as JSON"));
  if (view === null) throw new Error("there is no editor");
  return view;
}

const text = () => editor().state.doc.toString();

function write(written: string): void {
  const view = editor();
  act(() => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: written } }));
}

/** Change the type of the step. */
const change = (type = "condition") => write(text().replace(/"type": "\w+"/, `"type": "${type}"`));
const saveButton = () => screen.getByRole("button", { name: "Save version" });
const canSave = () => waitFor(() => expect(saveButton().getAttribute("aria-disabled")).toBe("false"));
const problems = () => within(screen.getByRole("list", { name: "Problems" })).getAllByRole("listitem");

/** The text from where the cursor is. */
const atCursor = () => text().slice(editor().state.selection.main.head);

it("shows the definition, and has nothing to save before it is changed", async () => {
  show();
  expect(JSON.parse(text())).toEqual(definition);
  await screen.findByText("It can be saved");
  expect(saveButton().getAttribute("aria-disabled")).toBe("true");
  fireEvent.click(saveButton());
  expect(server.to(SAVE)).toEqual([]);
});

it("a change is checked, and saved as the version after the one it began with", async () => {
  server.on(SAVE, () => json(200, { ...shop, version: 5, current_version: 5 }));
  show();
  change();
  await canSave();
  fireEvent.change(screen.getByLabelText("What this version is for"), { target: { value: " fewer steps " } });
  fireEvent.click(saveButton());
  await waitFor(() => expect(server.to(SAVE)).toHaveLength(1));
  const changed = { name: "Shop", steps: [{ id: "charge", type: "condition" }] };
  expect(await server.bodies(SAVE)).toEqual([
    { definition: changed, base_version: 4, if_stale: "beside", note: "fewer steps" },
  ]);
});

it("what is not JSON is said at once, at its place, and neither checked nor saved", async () => {
  show();
  await screen.findByText("It can be saved");
  const checks = server.to(CHECK).length;
  write('{"name": Shop}');
  expect(screen.getByRole("status").textContent).toBe("1 problem");
  expect(problems().map((each) => each.textContent)).toEqual([expect.stringContaining("Not JSON")]);
  fireEvent.click(within(problems()[0] as HTMLElement).getByRole("button"));
  expect(atCursor()).toBe("Shop}");
  fireEvent.click(saveButton());
  expect(server.to(SAVE)).toEqual([]);
  expect(server.to(CHECK)).toHaveLength(checks);
});

it("the server's problems lead to their places and keep it from being saved; warnings do not", async () => {
  finds({
    problems: [{ path: "$.steps[0].type", detail: "There is no such type." }],
    warnings: [{ path: "$.name", detail: "Another pipeline has this name." }],
  });
  show();
  change("tusk");
  await screen.findByText("1 problem");
  const [problem, warning] = problems();
  expect(problem?.textContent).toBe("steps[0].type: There is no such type.");
  expect(within(problem as HTMLElement).getByRole("img", { name: "Error" })).toBeTruthy();
  expect(within(warning as HTMLElement).getByRole("img", { name: "Warning" })).toBeTruthy();
  fireEvent.click(within(problem as HTMLElement).getByRole("button"));
  expect(atCursor()).toMatch(/^"tusk"/);
  fireEvent.click(saveButton());
  expect(server.to(SAVE)).toEqual([]);

  finds({ warnings: [{ path: "$.name", detail: "Another pipeline has this name." }] });
  change("task ");
  await canSave();
});

it("what the server refuses when it is saved is shown at its place, until the text changes", async () => {
  server.on(SAVE, () => refusal(422, "It cannot be loaded.", { "definition.steps[0].type": "No module has it." }));
  show();
  change();
  await canSave();
  fireEvent.click(saveButton());
  expect((await screen.findByRole("alert")).textContent).toContain("It was not savedIt cannot be loaded.");
  const [refused] = problems();
  expect(refused?.textContent).toBe("steps[0].type: No module has it.");
  fireEvent.click(within(refused as HTMLElement).getByRole("button"));
  expect(atCursor()).toMatch(/^"condition"/);
  change("function");
  expect(screen.queryByRole("alert")).toBeNull();
  expect(screen.queryByText(/No module has it/)).toBeNull();
});

it("what was written while somebody else saved a version is stored beside that", async () => {
  server.on(SAVE, () => json(200, { ...shop, version: 6, current_version: 5 }));
  const { router } = show();
  change();
  update({ ...shop, version: 5, current_version: 5, definition: { name: "Theirs" } as unknown as Definition });
  expect(text()).toContain("condition");
  await screen.findByText(/version 5 is the current one now. What you save is stored beside that/);
  await canSave();
  fireEvent.click(saveButton());
  await waitFor(() => expect(router.state.location.search).toBe("?version=6"));
  expect(await server.bodies(SAVE)).toMatchObject([{ base_version: 4, if_stale: "beside", note: null }]);
});

it("a version that somebody else saved is shown where nothing was changed", async () => {
  show();
  update({ ...shop, version: 5, current_version: 5, definition: { name: "Theirs" } as unknown as Definition });
  await waitFor(() => expect(JSON.parse(text())).toEqual({ name: "Theirs" }));
});

it("asks before unsaved changes are lost, and stays where the answer is to stay", async () => {
  const { router } = show();
  change();
  fireEvent.click(screen.getByText("Elsewhere"));
  const dialog = await screen.findByRole("dialog", { name: "Leave without saving?" });
  fireEvent.click(within(dialog).getByRole("button", { name: "Stay" }));
  expect(router.state.location.pathname).toBe("/");
  expect(text()).toContain("condition");
  fireEvent.click(screen.getByText("Elsewhere"));
  fireEvent.click(await screen.findByRole("button", { name: "Leave" }));
  await screen.findByText("another page");
});

it("lets go without asking where nothing is changed, also after all was undone", async () => {
  show();
  change();
  fireEvent.click(screen.getByRole("button", { name: "Undo all" }));
  await waitFor(() => expect(JSON.parse(text())).toEqual(definition));
  fireEvent.click(screen.getByText("Elsewhere"));
  await screen.findByText("another page");
});

it.each(["viewer", "run file"] as const)("only reads the definition: a %s", async (who) => {
  server.signIn(who === "viewer" ? "viewer" : "operator", { run_file: who === "run file" });
  server.on("GET /api/pipelines/pipeline/graph", () => json(200, graphOf([["charge", "end"]])));
  show();
  const shown = await screen.findByLabelText("Definition as JSON, to read");
  expect(shown.getAttribute("contenteditable")).toBe("false");
  expect(JSON.parse(EditorView.findFromDOM(shown)?.state.doc.toString() ?? "")).toEqual(definition);
  await screen.findByText(/Version 4, the current one, to read/);
  await screen.findByText("own_steps");
  for (const name of ["Save version", "Run once", "Undo all"])
    expect(screen.queryByRole("button", { name })).toBeNull();
  expect(server.requests.filter(({ method }) => method !== "GET")).toEqual([]);
});

it("runs once what is written, with its input, and goes to see it; back leads to what was tried", async () => {
  finds({ default_input: { amount: 3 } });
  const execution = createExecution({ execution_id: "tried", pipeline_version: 5 });
  server.on(ONCE, () => json(202, execution));
  const { router } = show();
  change();
  await canSave();
  fireEvent.change(screen.getByLabelText("What this version is for"), { target: { value: "only a try" } });
  fireEvent.click(screen.getByRole("button", { name: "Run once" }));
  const drawer = await screen.findByRole("dialog");
  const start = await within(drawer).findByRole("button", { name: "Run once" });
  fireEvent.click(start);
  await screen.findByText("the execution");
  const changed = { name: "Shop", steps: [{ id: "charge", type: "condition" }] };
  expect(await server.bodies(ONCE)).toEqual([{ definition: changed, input_data: { amount: 3 }, note: "only a try" }]);
  expect(router.state.location.pathname).toBe("/executions/tried");
  await act(() => router.navigate(-1));
  expect(router.state.location.search).toBe("?version=5");
});

it("asks before an input that was filled in for a trial is lost", async () => {
  finds({ default_input: { amount: 3 } });
  show();
  await screen.findByText("It can be saved");
  fireEvent.click(screen.getByRole("button", { name: "Run once" }));
  const drawer = await screen.findByRole("dialog");
  fireEvent.click(await within(drawer).findByText("JSON"));
  const input = EditorView.findFromDOM(await within(drawer).findByLabelText("Input as JSON"));
  act(() => input?.dispatch({ changes: { from: 0, to: input.state.doc.length, insert: '{"amount": 4}' } }));
  fireEvent.click(within(drawer).getByRole("button", { name: "Close" }));
  const question = await screen.findByRole("dialog", { name: "Close without starting it?" });
  fireEvent.click(within(question).getByText("Close"));
  await waitFor(() => expect(screen.queryByLabelText("Input as JSON")).toBeNull());
  expect(server.to(ONCE)).toEqual([]);
});

it("what has problems runs as little as it is saved", async () => {
  finds({ problems: [{ path: "$.name", detail: "No." }] });
  show();
  await screen.findByText("1 problem");
  const once = screen.getByRole("button", { name: "Run once" });
  expect(once.getAttribute("aria-disabled")).toBe("true");
  fireEvent.click(once);
  expect(screen.queryByRole("dialog")).toBeNull();
});

it("keeps the graph that could be drawn last, and says so", async () => {
  finds({ graph: { ...graphOf([["charge", "end"]]), version: 0 } });
  show();
  await screen.findByRole("region", { name: "Graph of what is written" });
  await screen.findByText("It can be saved");
  expect(screen.queryByText(/As it was last/)).toBeNull();
  write('{"steps": [');
  await screen.findByText(/As it was last/);
});

it("shows the code that steps may name, and suggests from it", async () => {
  show();
  await screen.findByText("ia_modules.steps");
  write('{"steps": [{"module": "ia"}]}');
  act(() => editor().dispatch({ selection: { anchor: text().indexOf('"}') } }));
  await act(async () => void startCompletion(editor()));
  await waitFor(() =>
    expect(currentCompletions(editor().state).map(({ label }) => label)).toEqual(["ia_modules.steps"]),
  );
  await new Promise((later) => setTimeout(later, 100)); // a suggestion is not taken by a key that was meant otherwise
  act(() => void acceptCompletion(editor()));
  expect(text()).toBe('{"steps": [{"module": "ia_modules.steps"}]}');
});

it("numbers and keys are shown, checked and saved as they are written", async () => {
  const written = '{"steps": [{"type": "task", "config": {"id": 9007199254740993, "rate": 1.0, "__proto__": 1E5}}]}';
  server.on(SAVE, () => json(200, { ...shop, version: 5, current_version: 5 }));
  show();
  update({ ...shop, version: 5, current_version: 5, definition: parseJson(written) as unknown as Definition });
  await waitFor(() => expect(text().replace(/\s+/g, "")).toBe(written.replace(/\s+/g, "")));
  change();
  await canSave();
  fireEvent.click(saveButton());
  await waitFor(() => expect(server.to(SAVE)).toHaveLength(1));
  const changed = written.replace("task", "condition").replace(/\s+/g, "");
  for (const place of [CHECK, SAVE])
    expect(await server.to(place).at(-1)?.text()).toContain(`{"definition":${changed},`);
});
