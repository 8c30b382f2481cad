import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ExecutionOut } from "@/api/schema.gen";
import { createExecutionRow } from "@/mocks/create-execution";
import { createFailure } from "@/mocks/create-failure";
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
  server.on(LIST, () => json(200, { items: rows, next_cursor: null, searched: null }));
  server.on("GET /api/executions/statistics", () => json(200, { total: 0, by_status: {}, capped: [] }));
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
  server.on(LIST, () => json(200, { items: [], next_cursor: null, searched: null }));
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
