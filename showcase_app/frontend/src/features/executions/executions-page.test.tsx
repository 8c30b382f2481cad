import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ExecutionOut } from "@/api/schema.gen";
import { createExecutionRow } from "@/mocks/create-execution";
import { createFailure, createFailurePage } from "@/mocks/create-failure";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Component } from "./executions-page";

const LIST = "GET /api/executions";
const server = new FakeServer();
let rows: ExecutionOut[] = [];

beforeEach(() => {
  server.install();
  FakeSocket.install();
  rows = [execution("1")];
  server.on(LIST, () => json(200, { items: rows, next_cursor: null, searched: null, looked_back_to: null }));
  server.on("GET /api/executions/statistics", () => json(200, { total: 0, by_status: {}, capped: [] }));
  window.localStorage.clear();
  server.on("GET /api/pipelines", () => json(200, { items: [], next_cursor: null }));
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
});

function execution(execution_id: string, row: Partial<ExecutionOut> = {}): ExecutionOut {
  return createExecutionRow({ execution_id, ...row });
}

const show = (address = "/executions") => renderAt(address, [{ path: "/executions", element: <Component /> }]);
const ids = () => [...document.querySelectorAll<HTMLElement>("[data-execution]")].map((row) => row.dataset.execution);
const rowOf = (id: string) => document.querySelector<HTMLElement>(`[data-execution="${id}"]`) as HTMLElement;

/** An execution changed: the server has it, and the socket says so. */
function change(row: ExecutionOut): void {
  rows = [row, ...rows.filter((each) => each.execution_id !== row.execution_id)].sort((a, b) =>
    a.execution_id < b.execution_id ? 1 : -1,
  );
  const { execution_id, sequence, status } = row;
  act(() => FakeSocket.newest.say({ type: "hints", items: [{ execution_id, sequence, status }] }));
}

it("a new execution comes on top by itself, and a row that changed changes in place", async () => {
  show();
  await waitFor(() => expect(ids()).toEqual(["1"]));
  change(execution("2"));
  await waitFor(() => expect(ids()).toEqual(["2", "1"]));
  change(execution("1", { sequence: 5, status: "cancelled", completed_at: "2026-01-01T00:00:05Z" }));
  await waitFor(() => expect(within(rowOf("1")).getByText("Cancelled")).toBeTruthy());
  expect(ids()).toEqual(["2", "1"]);
});

it("while a row is selected new ones are counted, and come when they are wanted", async () => {
  show();
  await waitFor(() => expect(ids()).toEqual(["1"]));
  fireEvent.click(within(rowOf("1")).getByRole("checkbox"));
  change(execution("2"));
  const held = await screen.findByRole("button", { name: "1 new" });
  expect(ids()).toEqual(["1"]);
  expect(within(rowOf("1")).getByRole<HTMLInputElement>("checkbox").checked).toBe(true);
  fireEvent.click(held);
  await waitFor(() => expect(ids()).toEqual(["2", "1"]));
});

it("says that the list could not be read, not that there is nothing", async () => {
  server.on(LIST, () => refusal(503, "The database is away."));
  show();
  expect((await screen.findByRole("alert")).textContent).toContain("The executions could not be read");
  expect(screen.queryByText("Nothing has run yet")).toBeNull();
  server.on(LIST, () => json(200, { items: [], next_cursor: null, searched: null, looked_back_to: null }));
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Nothing has run yet")).toBeTruthy();
});

it("a group of failures in the address narrows the list, is named, and is left", async () => {
  const failure = createFailure();
  server.on(`GET /api/failures/${failure.id}`, () => json(200, failure));
  const since = "2026-01-01T00:00:00.000000Z";
  const { router } = show(`/executions?failure=${failure.id}&failed_after=${encodeURIComponent(since)}`);
  const link = await screen.findByRole("link", { name: "KeyError: no order <n> in <path>" });
  expect(link.getAttribute("href")).toBe(`/failures/${failure.id}`);
  await waitFor(() => expect(ids()).toEqual(["1"]));
  const params = server.to(LIST).map((request) => Object.fromEntries(new URL(request.url).searchParams));
  const group = { pipeline_id: "pipeline", failure_group: failure.failure_group, failed_after: since };
  expect(params).toEqual([{ ...group, limit: "50" }]);
  const [counted] = server.to("GET /api/executions/statistics");
  expect(Object.fromEntries(new URL(counted?.url ?? "").searchParams)).toEqual(group);
  fireEvent.click(screen.getByRole("button", { name: "Not only these failures" }));
  await waitFor(() => expect(router.state.location.search).toBe("?pipeline_id=pipeline"));
  expect(screen.queryByText(/^Failures like/)).toBeNull();
});

it("a group of failures that nobody knows is no empty list", async () => {
  server.on("GET /api/failures/nightly.0", () => refusal(404, "No failures are known by 'nightly.0'."));
  show("/executions?failure=nightly.0");
  await screen.findByText("There are no such failures");
  expect(server.to(LIST)).toEqual([]);
});

const BACK = "2026-01-01T00:00:00.000000Z";
const lookedBack = (items: ExecutionOut[]) =>
  json(200, { items, next_cursor: null, searched: null, looked_back_to: BACK });
const paramsOf = (request: Request | undefined) => new URL(request?.url ?? "").searchParams;

it("where nothing was found it says how far back was looked, and looks further back", async () => {
  server.on(LIST, () => lookedBack([]));
  const { router } = show("/executions?q=customer");
  await screen.findByText("None of the newest matches");
  expect(screen.queryByText("No execution matches")).toBeNull();
  expect(screen.getByText(/^Looked at the newest 10,000, back to/)).toBeTruthy();
  server.on(LIST, () => lookedBack(rows));
  fireEvent.click(screen.getByRole("button", { name: "Search further back" }));
  await waitFor(() => expect(ids()).toEqual(["1"]));
  expect(router.state.location.search).toBe("?q=customer&look_back=100000");
  expect(paramsOf(server.to(LIST).at(-1)).get("look_back")).toBe("100000");
  expect(screen.getByText(/^Looked at the newest 100,000, back to/), "below what was found").toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Search further back" }));
  await waitFor(() => expect(router.state.location.search).toBe("?q=customer&look_back=1000000"));
  await screen.findByText(/Choose a time window for older ones/);
  expect(screen.queryByRole("button", { name: "Search further back" })).toBeNull();
});

it("several statuses are chosen, and left again", async () => {
  const { router } = show("/executions?look_back=100000");
  await waitFor(() => expect(ids()).toEqual(["1"]));
  fireEvent.click(screen.getByRole("checkbox", { name: /^Failed/ }));
  fireEvent.click(await screen.findByRole("checkbox", { name: /^Cancelled/ }));
  await waitFor(() => expect(router.state.location.search).toBe("?status=failed&status=cancelled"));
  await waitFor(() => expect(paramsOf(server.to(LIST).at(-1)).getAll("status")).toEqual(["failed", "cancelled"]));
  fireEvent.click(screen.getByRole("button", { name: /^All/ }));
  await waitFor(() => expect(router.state.location.search).toBe(""));
});

it("more filters stand in the address and beside the button, each with its way out", async () => {
  const { router } = show("/executions?version=7&worker=host-3");
  await waitFor(() => expect(ids()).toEqual(["1"]));
  expect(paramsOf(server.to(LIST)[0]).get("version")).toBe("7");
  fireEvent.click(screen.getByRole("button", { name: "Without: v7" }));
  await waitFor(() => expect(router.state.location.search).toBe("?worker=host-3"));
  fireEvent.click(screen.getByRole("button", { name: "More filters" }));
  const least = await screen.findByRole<HTMLInputElement>("textbox", { name: "Took at least" });
  fireEvent.change(least, { target: { value: "90" } });
  fireEvent.blur(least);
  await waitFor(() => expect(router.state.location.search).toBe("?worker=host-3&min_seconds=90"));
  const worker = screen.getByRole<HTMLInputElement>("textbox", { name: "Worker" });
  expect(worker.value).toBe("host-3");
  fireEvent.change(screen.getByRole("textbox", { name: "Searchable key" }), { target: { value: "input.customer" } });
  fireEvent.change(screen.getByRole("textbox", { name: "Its value" }), { target: { value: "acme" } });
  fireEvent.click(screen.getByRole("button", { name: "Only with this value" }));
  await waitFor(() => expect(paramsOf(server.to(LIST).at(-1)).getAll("attribute")).toEqual(["input.customer=acme"]));
  fireEvent.click(await screen.findByRole("button", { name: "Without: input.customer=acme" }));
  await waitFor(() => expect(router.state.location.search).toBe("?worker=host-3&min_seconds=90"));
  fireEvent.change(worker, { target: { value: " " } });
  fireEvent.blur(worker);
  await waitFor(() => expect(router.state.location.search).toBe("?min_seconds=90"));
});

it("one line opens why executions failed: how often, since when and since which version", async () => {
  server.on("GET /api/executions/statistics", () => json(200, { total: 37, by_status: { failed: 37 }, capped: [] }));
  server.on("GET /api/failures", () => json(200, createFailurePage([createFailure({ first_version: 3 })])));
  const { router } = show("/executions?window=24h");
  expect(server.to("GET /api/failures"), "nothing is counted before it is wanted").toEqual([]);
  fireEvent.click(await screen.findByRole("button", { name: "Why 37 failed" }));
  const group = await screen.findByRole("row", { name: "KeyError: no order <n> in <path>" });
  expect(group.textContent).toContain("since v3");
  expect(group.querySelector("time")?.dateTime).toBe(createFailure().first_at);
  const link = within(group).getByRole("link", { name: "37" });
  expect(link.getAttribute("href")).toContain("/executions?failure=nightly.");
  expect(router.state.location.search).toBe("?window=24h&why=1");
  expect(screen.getByRole("columnheader", { name: "Why, in the last 24 hours" })).toBeTruthy();
});

it("what groups cannot say of a list is left away", async () => {
  server.on("GET /api/executions/statistics", () => json(200, { total: 37, by_status: { failed: 37 }, capped: [] }));
  show("/executions?q=customer");
  await screen.findByRole("checkbox", { name: "Failed 37" });
  expect(screen.queryByRole("button", { name: /^Why/ })).toBeNull();
});

it("columns, dense rows and views by name are kept in the browser", async () => {
  const { happyDOM } = window as unknown as { happyDOM: { setViewport: (size: { width: number }) => void } };
  happyDOM.setViewport({ width: 1440 });
  const { router } = show("/executions?status=failed");
  await waitFor(() => expect(ids()).toEqual(["1"]));
  fireEvent.click(screen.getByRole("button", { name: "View" }));
  fireEvent.click(await screen.findByRole("checkbox", { name: "Worker" }));
  fireEvent.click(screen.getByRole("switch", { name: "Dense rows" }));
  fireEvent.change(screen.getByRole("textbox", { name: "Name of the view" }), { target: { value: "At night" } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByRole("link", { name: "At night" });
  cleanup();
  show("/executions");
  await waitFor(() => expect(ids()).toEqual(["1"]));
  expect(screen.getByRole("columnheader", { name: "Worker" })).toBeTruthy();
  expect(screen.getByRole("table").dataset.dense).toBe("true");
  fireEvent.click(screen.getByRole("button", { name: "View" }));
  expect((await screen.findByRole("link", { name: "At night" })).getAttribute("href")).toBe(
    "/executions?status=failed",
  );
  fireEvent.click(screen.getByRole("button", { name: "Forget At night" }));
  await waitFor(() => expect(screen.queryByRole("link", { name: "At night" })).toBeNull());
  expect(router.state.location.pathname).toBe("/executions");
});
