import { EditorView } from "@codemirror/view";
import { act, cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

// Before the reader's own zone is read.
vi.hoisted(() => {
  process.env.TZ = "UTC";
});

import type { PipelineDetail } from "@/api/schema.gen";
import { parseJson, stringifyJson } from "@/domain/json";
import { createExecutionRow } from "@/mocks/create-execution";
import { createPipeline } from "@/mocks/create-pipeline";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { objectTexts } from "@/mocks/json-texts";
import { renderAt } from "@/mocks/render-at";
import { RunForm } from "./run-form";

const START = "POST /api/pipelines/pipeline/executions";
const server = new FakeServer();

beforeEach(() => {
  server.install();
  server.on(START, () => json(202, createExecutionRow({ execution_id: "begun" })));
});

afterEach(() => {
  cleanup();
  server.remove();
});

function show(pipeline: PipelineDetail): void {
  renderAt("/", [
    { path: "/", element: <RunForm pipeline={pipeline} /> },
    { path: "/executions/begun", element: <p>its page</p> },
  ]);
}

const run = () => fireEvent.click(screen.getByRole("button", { name: "Run" }));
const choose = (name: string) => fireEvent.click(screen.getByRole("radio", { name }));
const field = (label: RegExp) => screen.getByLabelText<HTMLInputElement>(label);

/** The description of a field, as a screen reader reads it. */
function described(label: RegExp): string {
  const ids = field(label).getAttribute("aria-describedby")?.split(" ") ?? [];
  return ids.map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
}

/** The editor, whose code comes when it is shown. */
async function showJson(): Promise<void> {
  choose("JSON");
  await screen.findByLabelText("Input as JSON");
}

function editor(): EditorView {
  const view = EditorView.findFromDOM(screen.getByLabelText("Input as JSON"));
  if (view === null) throw new Error("there is no editor");
  return view;
}

function write(text: string): void {
  const view = editor();
  act(() => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }));
}

async function sentInputs(): Promise<unknown[]> {
  return (await server.bodies(START)).map((body) => (body as { input_data: unknown }).input_data);
}

const shop = createPipeline({
  input_schema: {
    type: "object",
    properties: {
      sku: { type: "string", title: "Article" },
      order: { type: "object", properties: { quantity: { type: "integer", title: "Quantity", maximum: 10 } } },
    },
    required: ["sku"],
  },
  default_input: { sku: "kettle", order: { quantity: 2 } },
});

it("begins with the defaults, and sends them as they are", async () => {
  show(shop);
  expect([field(/Article/).value, field(/Quantity/).value]).toEqual(["kettle", "2"]);
  run();
  await screen.findByText("its page");
  expect(await sentInputs()).toEqual([{ sku: "kettle", order: { quantity: 2 } }]);
});

it("starts at once, or at the time that is chosen, and never at half of one", async () => {
  show(shop);
  run();
  await screen.findByText("its page");
  cleanup();
  show(shop);
  fireEvent.change(field(/Start at/), { target: { value: "2027-01-02 3" } });
  fireEvent.click(screen.getByRole("button", { name: "Run later" }));
  await waitFor(() => expect(document.activeElement).toBe(field(/Start at/)));
  fireEvent.change(field(/Start at/), { target: { value: "2027-01-02 03:04 +02:00" } });
  fireEvent.click(screen.getByRole("button", { name: "Run later" }));
  await screen.findByText("its page");
  const bodies = (await server.bodies(START)) as { run_at: string | null }[];
  expect(bodies.map(({ run_at }) => run_at)).toEqual([null, "2027-01-02T01:04:00.000Z"]);
});

it("is filled in with the last input on request, and with the defaults again", () => {
  show(createPipeline({ ...shop, last_input: { sku: "teapot", order: { quantity: 7 } } }));
  choose("Last input");
  expect([field(/Article/).value, field(/Quantity/).value]).toEqual(["teapot", "7"]);
  choose("Defaults");
  expect([field(/Article/).value, field(/Quantity/).value]).toEqual(["kettle", "2"]);
});

it("shows in JSON what was written in the fields, and in the fields what was written in JSON", async () => {
  show(shop);
  fireEvent.change(field(/Article/), { target: { value: "pot" } });
  await showJson();
  expect(JSON.parse(editor().state.doc.toString())).toEqual({ sku: "pot", order: { quantity: 2 } });
  write('{"sku": "pan", "order": {"quantity": 3}}');
  choose("Form");
  expect([field(/Article/).value, field(/Quantity/).value]).toEqual(["pan", "3"]);
  run();
  await screen.findByText("its page");
  expect(await sentInputs()).toEqual([{ sku: "pan", order: { quantity: 3 } }]);
});

it("does not run what is not JSON, and says where it stops being JSON", async () => {
  show(shop);
  await showJson();
  write('{"sku": pan}');
  expect(screen.getByRole("list", { name: "Problems" }).textContent).toContain("Not JSON");
  expect(screen.getByRole("button", { name: "Run" })).toHaveProperty("disabled", true);
  expect(screen.getByRole("radio", { name: "Form" })).toHaveProperty("disabled", true);
  fireEvent.click(screen.getByRole("button", { name: /Not JSON/ }));
  expect(editor().state.selection.main.head).toBe('{"sku": '.length);
});

it("says in JSON what the schema forbids, with its path, and does not send it", async () => {
  show(shop);
  await showJson();
  write('{"sku": "pan", "order": {"quantity": 99}}');
  expect(screen.getByRole("list", { name: "Problems" }).textContent).toContain("order.quantity: At most 10.");
  run();
  expect(server.to(START)).toEqual([]);
});

it("what the server refuses is said at the field, until it is started", async () => {
  server.on(START, () =>
    refusal(422, "The input is wrong.", {
      "input_data.sku": "There is no kettle.",
      "input_data.order.quantity": "At most one.",
    }),
  );
  show(shop);
  run();
  await screen.findByText("There is no kettle.");
  expect(described(/Article/)).toContain("There is no kettle.");
  expect(described(/Quantity/)).toContain("At most one.");
  await waitFor(() => expect(document.activeElement).toBe(field(/Article/)));
  expect(screen.queryByRole("alert")).toBeNull();

  server.on(START, () => json(202, createExecutionRow({ execution_id: "begun" })));
  fireEvent.change(field(/Article/), { target: { value: "teapot" } });
  run();
  await screen.findByText("its page");
  expect((await sentInputs()).map((input) => (input as { sku: string }).sku)).toEqual(["kettle", "teapot"]);
});

it("the same input sent again has the same key, another input another one", async () => {
  server.on(START, () => refusal(503, "The database is away."));
  show(shop);
  run();
  await screen.findByRole("alert");
  run();
  await waitFor(() => expect(server.to(START)).toHaveLength(2));
  await screen.findByRole("alert");
  fireEvent.change(field(/Article/), { target: { value: "teapot" } });
  run();
  await waitFor(() => expect(server.to(START)).toHaveLength(3));
  const [first, again, other] = server.to(START).map((request) => request.headers.get("Idempotency-Key"));
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

it("what is refused as a whole is said above the button", async () => {
  server.on(START, () => refusal(409, "It is archived."));
  show(shop);
  run();
  expect((await screen.findByRole("alert")).textContent).toContain("It is archived.");
});

it("what the schema forbids is said at the field and not sent", async () => {
  show(createPipeline({ ...shop, default_input: { sku: "kettle", order: { quantity: 99 } } }));
  run();
  await screen.findByText("At most 10.");
  expect(described(/Quantity/)).toContain("At most 10.");
  expect(server.to(START)).toEqual([]);
});

it("what is wrong with a list as a whole is said below it", async () => {
  const sizes = { type: "array", title: "Sizes", items: { type: "integer" }, minItems: 2 };
  show(createPipeline({ input_schema: { type: "object", properties: { sizes } }, default_input: { sizes: [1] } }));
  run();
  expect(await screen.findByText("At least 2 entries.")).toBeTruthy();
  expect(server.to(START)).toEqual([]);
});

it("a viewer sees the form and cannot run it", async () => {
  server.signIn("viewer");
  show(shop);
  await waitFor(() => expect(screen.getByRole("button", { name: "Run" })).toHaveProperty("disabled", true));
});

it("the first field has the focus, and one without a value is empty", async () => {
  const warnings = vi.spyOn(console, "error");
  show(createPipeline({ ...shop, default_input: {} }));
  await waitFor(() => expect(document.activeElement).toBe(field(/Article/)));
  expect(field(/Article/).value).toBe("");
  fireEvent.change(field(/Article/), { target: { value: "pot" } });
  expect(warnings).not.toHaveBeenCalled();
  warnings.mockRestore();
});

it("a moment is written or chosen as such, whatever zone it was in, and sent with a zone", async () => {
  const due = { type: "string", format: "date-time", title: "Due" };
  const until = { type: ["string", "null"], format: "date-time", title: "Until" };
  const default_input = { due: "2027-01-02T03:04:05+02:00", until: null };
  const pipeline = createPipeline({ input_schema: { type: "object", properties: { due, until } }, default_input });
  show(pipeline);
  expect([field(/Due/).value, field(/Until/).value]).toEqual(["2027-01-02 01:04:05 UTC", ""]);
  expect(described(/Due/)).not.toContain("Kept as text");
  run();
  await screen.findByText("its page");
  cleanup();
  show(pipeline);
  fireEvent.change(field(/Due/), { target: { value: "tomorrow" } });
  run();
  await waitFor(() => expect(field(/Due/).getAttribute("aria-invalid")).toBe("true"));
  expect(server.to(START)).toHaveLength(1);
  fireEvent.change(field(/Due/), { target: { value: "2027-01-03 4:00" } });
  run();
  await screen.findByText("its page");
  expect(await sentInputs()).toEqual([default_input, { due: "2027-01-03T04:00:00.000Z", until: null }]);
});

it("a time is chosen in hours and minutes, and sent as JSON Schema has it", async () => {
  const at = { type: "string", format: "time", title: "At" };
  const until = { type: ["string", "null"], format: "time", title: "Until" };
  const default_input = { at: "07:30:00Z", until: null };
  const pipeline = createPipeline({ input_schema: { type: "object", properties: { at, until } }, default_input });
  show(pipeline);
  expect([field(/^At/).value, field(/Until/).value]).toEqual(["07:30", ""]);
  expect(described(/^At/)).toContain("In UTC");
  run();
  await screen.findByText("its page");
  cleanup();
  show(pipeline);
  fireEvent.change(field(/^At/), { target: { value: "23:05" } });
  fireEvent.change(field(/Until/), { target: { value: "23:50" } });
  run();
  await screen.findByText("its page");
  expect(await sentInputs()).toEqual([default_input, { at: "23:05:00Z", until: "23:50:00Z" }]);
});

it("a choice that may be left open is a list with None in it, which is sent as null", async () => {
  const color = { anyOf: [{ type: "string", enum: ["red", "blue"] }, { type: "null" }], title: "Color" };
  const input_schema = { type: "object", properties: { color }, required: ["color"] };
  show(createPipeline({ input_schema, default_input: { color: "red" } }));
  const list = () => screen.getByRole<HTMLInputElement>("combobox", { name: /Color/ });
  expect(list().value).toBe("red");
  fireEvent.click(list());
  fireEvent.click(await screen.findByRole("option", { name: "None", hidden: true }));
  expect(list().value).toBe("None");
  run();
  await screen.findByText("its page");
  expect(await sentInputs()).toEqual([{ color: null }]);
});

/** Parameters of many kinds, with defaults and a last input that are lost most easily. */
const EXACT = `{
  "id": 9007199254740993,
  "rate": 1.0,
  "small": -0.0,
  "power": 1E5,
  "quantity": 2,
  "choice": 9007199254740993,
  "choices": [1.0],
  "tags": ["a", 1.0],
  "on": 1,
  "at": "2027-01-02T03:04:05.678901Z",
  "free": {"__proto__": {"deep": [9223372036854775807, 1.0]}, "constructor": 1},
  "order": {"id": -9223372036854775808},
  "lines": [{"id": 9007199254740993}, {"id": 1.5}],
  "beside": {"id": 18446744073709551615}
}`;
const exact = createPipeline({
  input_schema: parseJson(`{
    "type": "object",
    "properties": {
      "id": {"type": "integer", "title": "Id", "minimum": 9007199254740993},
      "rate": {"type": "number", "title": "Rate"},
      "small": {"type": "number"},
      "power": {"type": "number", "title": "Power"},
      "quantity": {"type": "integer", "title": "Quantity"},
      "choice": {"title": "Choice", "enum": [9007199254740993, 1.0]},
      "choices": {"type": "array", "uniqueItems": true, "items": {"enum": [1.0, 2.0]}},
      "tags": {"type": "array", "title": "Tags", "items": {}},
      "on": {"title": "On"},
      "at": {"type": "string", "format": "date-time", "title": "At"},
      "free": {"title": "Free"},
      "order": {"type": "object", "properties": {"id": {"type": "integer", "title": "Order id"}, "note": {"type": "object", "properties": {"text": {"type": "string"}}}}},
      "lines": {"type": "array", "minItems": 2.0, "items": {"type": "object", "properties": {"id": {"type": "number", "title": "Line"}}}}
    }
  }`) as PipelineDetail["input_schema"],
  default_input: parseJson(EXACT) as PipelineDetail["default_input"],
});

/** The texts that were sent as `input_data`, oldest first. */
async function sentTexts(): Promise<string[]> {
  return (await sentInputs()).map((input) => stringifyJson(input));
}

it("sends what it was filled in with, by every number's text, when nothing was touched", async () => {
  show(exact);
  run();
  await screen.findByText("its page");
  expect(await sentTexts()).toEqual([stringifyJson(parseJson(EXACT))]);
});

it("checks numbers by what they are worth", async () => {
  const default_input = parseJson(EXACT.replace("9007199254740993", "9007199254740992"));
  show({ ...exact, default_input: default_input as PipelineDetail["default_input"] });
  run();
  await screen.findByText("At least 9007199254740993.");
  expect(screen.getAllByText(/^At (least|most)/)).toHaveLength(1);
  expect(server.to(START)).toEqual([]);
});

it("changes what was touched and nothing else", async () => {
  show(exact);
  fireEvent.change(field(/Quantity/), { target: { value: "3" } });
  run();
  await screen.findByText("its page");
  const sent = parseJson((await sentTexts())[0] ?? "") as object;
  const before = parseJson(EXACT) as object;
  expect(Object.keys(sent).sort()).toEqual(Object.keys(before).sort());
  for (const [key, value] of Object.entries(sent)) {
    const expected: unknown = key === "quantity" ? 3 : before[key as keyof typeof before];
    expect([key, stringifyJson(value)]).toEqual([key, stringifyJson(expected)]);
  }
});

it("says where the usual control could not hold a value, and offers its text", async () => {
  show(exact);
  expect([field(/^Id/).value, field(/^Rate/).value, field(/^Power/).value]).toEqual(["9007199254740993", "1.0", "1E5"]);
  for (const label of [/^Id/, /^Rate/, /^Power/, /^At/]) expect(described(label)).toContain("Kept as text");
  expect(described(/^Quantity/)).not.toContain("Kept as text");
  expect(field(/^At/).value).toBe("2027-01-02T03:04:05.678901Z");
  fireEvent.change(field(/^Id/), { target: { value: "9007199254740995" } });
  fireEvent.change(field(/^Rate/), { target: { value: "2.50" } });
  run();
  await screen.findByText("its page");
  expect(parseJson((await sentTexts())[0] ?? "")).toMatchObject(
    parseJson('{"id": 9007199254740995, "rate": 2.50}') as object,
  );
});

it("takes a number of any size that is typed, by its text, and keeps it when the field is left", async () => {
  show(shopOfAnySize);
  for (const typed of ["9007199254740993", "1.0", "12.30"]) {
    fireEvent.change(field(/Quantity/), { target: { value: typed } });
    fireEvent.blur(field(/Quantity/));
    expect(field(/Quantity/).value).toBe(typed);
    await showJson();
    expect(editor().state.doc.toString()).toContain(`"quantity": ${typed}\n`);
    choose("Form");
    expect(field(/Quantity/).value).toBe(typed);
  }
});

const shopOfAnySize = createPipeline({
  input_schema: { type: "object", properties: { quantity: { type: "number", title: "Quantity" } } },
  default_input: { quantity: 2 },
});

it("what is no number is said at its field", async () => {
  show(exact);
  fireEvent.change(field(/^Id/), { target: { value: "9007199254740993x" } });
  run();
  await screen.findByText("Expected a whole number.");
  expect(server.to(START)).toEqual([]);
});

it("any JSON goes through form and editor with every number's text", async () => {
  await fc.assert(
    fc.asyncProperty(objectTexts, async (text) => {
      server.requests.length = 0;
      const default_input = parseJson(text) as PipelineDetail["default_input"];
      const properties = Object.fromEntries(Object.keys(default_input).map((key) => [key, {}]));
      show(createPipeline({ input_schema: { type: "object", properties }, default_input }));
      await showJson();
      expect(editor().state.doc.toString()).toBe(stringifyJson(default_input, 2));
      write(stringifyJson(default_input, 1));
      choose("Form");
      run();
      await screen.findByText("its page");
      expect(await sentTexts()).toEqual([text]);
      cleanup();
    }),
    { numRuns: 10 },
  );
});

it("what is filled in is not lost unasked, and what is sent does not ask", async () => {
  const { router } = renderAt("/?run=1", [
    { path: "/", element: <RunForm pipeline={shop} /> },
    { path: "/executions/begun", element: <p>its page</p> },
  ]);
  await act(() => router.navigate("/?run=2"));
  expect(router.state.location.search).toBe("?run=2"); // nothing is filled in yet
  fireEvent.change(field(/Article/), { target: { value: "pot" } });
  await act(() => router.navigate("/"));
  expect(await screen.findByText("Close without starting it?")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Stay" }));
  expect([router.state.location.search, field(/Article/).value]).toEqual(["?run=2", "pot"]);
  await waitFor(() => expect(screen.queryByText("Close without starting it?")).toBeNull());
  run();
  await screen.findByText("its page");
});

it("a pipeline that is archived while its form is filled in says so at what would start it", async () => {
  show(createPipeline({ is_active: false }));
  expect(screen.getByRole("button", { name: "Run" }).hasAttribute("disabled")).toBe(true);
});
