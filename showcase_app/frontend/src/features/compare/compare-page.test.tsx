import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createAlignedRun, createComparedRun, createComparison, createContrast } from "@/mocks/create-comparison";
import { at, createExecutionRow } from "@/mocks/create-execution";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Component } from "./compare-page";

const server = new FakeServer();
const ROUTES = [{ path: "/compare", element: <Component /> }];
const COMPARE = "GET /api/executions/compare";

const unversioned = { pipeline_version: null, status: "completed" } as const;
const A = createExecutionRow({ execution_id: "0199-a", ...unversioned });
const B = createExecutionRow({ execution_id: "0199-b", ...unversioned });
const CHANGE = { path: "$.n", a: "9007199254740993", b: "9007199254740992", a_bytes: 16, b_bytes: 16 };

const DIFFERENT = createComparison({
  a: A,
  b: B,
  counts: { same: 1, different: 1, only_a: 1, only_b: 0 },
  divergence: {
    kind: "outcome",
    within: "",
    step_id: "score",
    iteration: 2,
    sentence: "score #2 gave another output.",
  },
  steps: [
    createAlignedRun({ step_id: "fetch" }),
    createAlignedRun({
      step_id: "score",
      iteration: 2,
      differs: true,
      a: createComparedRun({ status: "failed", attempts: 3, error_type: "ValueError", error_message: "bad" }),
      output: createContrast({ same: false, changes: [CHANGE], left_out: 7 }),
    }),
    createAlignedRun({ step_id: "store", differs: true, b: null, input: null, output: null, routes: null }),
  ],
});

beforeEach(() => {
  server.install();
  FakeSocket.install();
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
});

it("the last good one gets its name in the address", async () => {
  server.on(COMPARE, () => json(200, DIFFERENT));
  const { router } = renderAt("/compare?a=0199-a&show=all", ROUTES);
  await waitFor(() => expect(router.state.location.search).toBe("?a=0199-a&show=all&b=0199-b"));
  await screen.findByText("Where they first diverged");
  expect(server.to(COMPARE).map((request) => new URL(request.url).search)).toEqual(["?a=0199-a"]);
});

it("the first divergence is told, marked, and jumped to; numbers keep every digit", async () => {
  server.on(COMPARE, () => json(200, DIFFERENT));
  renderAt("/compare?a=0199-a&b=0199-b", ROUTES);
  await screen.findByText("score #2 gave another output.");
  const list = screen.getByRole("list", { name: "Aligned runs" });
  expect(within(list).getAllByRole("button")).toHaveLength(2); // those that differ
  screen.getByText("diverged first");
  fireEvent.click(screen.getByRole("button", { name: "Show the step" }));
  const side = screen.getByRole("complementary", { name: "What differs" });
  within(side).getByText("9007199254740993");
  within(side).getByText("9007199254740992");
  within(side).getByText("… and at 7 more places.");
  within(side).getByText("ValueError: bad");
  expect(within(list).getByRole("button", { pressed: true }).textContent).toContain("score #2");
});

it("definitions that differ are told with their counts", async () => {
  const definitions = createContrast({ same: false, changes: [{ ...CHANGE, path: "$.version" }], left_out: 1200 });
  server.on(COMPARE, () => json(200, { ...DIFFERENT, definitions }));
  renderAt("/compare?a=0199-a&b=0199-b", ROUTES);
  await screen.findByText("$.version");
  screen.getByText("… and at 1,200 more places.");
});

it("all runs are listed when one asks for them, and the arrow keys go through them", async () => {
  server.on(COMPARE, () => json(200, DIFFERENT));
  renderAt("/compare?a=0199-a&b=0199-b&show=all", ROUTES);
  const list = await screen.findByRole("list", { name: "Aligned runs" });
  const [first, second, third] = within(list).getAllByRole("button");
  first?.focus();
  fireEvent.keyDown(list, { key: "ArrowDown" });
  expect(document.activeElement).toBe(second);
  expect(third?.textContent).toContain("only in A");
  if (third !== undefined) fireEvent.click(third);
  screen.getByText("Only A ran it");
});

it("what came from a run file is marked, and so is what a re-run has copied", async () => {
  const copy = { imported_at: at(0), rows_sha256: "0123456789abcdef", went_on: true };
  const copied = createComparedRun({ copied_from: "attempt-before" });
  const steps = [createAlignedRun({ step_id: "fetch", b: copied })];
  server.on(COMPARE, () => json(200, createComparison({ a: { ...A, ...copy }, b: B, steps })));
  renderAt("/compare?a=0199-a&b=0199-b", ROUTES);
  const a = await screen.findByRole("region", { name: "Execution A" });
  within(a).getByRole("img", { name: /^Copy of a run that went on elsewhere: .* 0123456789ab…$/ });
  const b = screen.getByRole("region", { name: "Execution B" });
  expect(within(b).queryByText(/run file|elsewhere/)).toBeNull();
  const run = screen.getByRole("button", { name: /fetch/ });
  within(run).getByRole("img", { name: "Copied from an earlier execution: it did not run in B" });
  fireEvent.click(run);
  screen.getByText(/^B did not run it/);
});

it("two that did not diverge say so, and that one still runs", async () => {
  const running = createExecutionRow({ execution_id: "0199-a", pipeline_version: null, status: "running" });
  const notes = ["A is running: it is compared as far as it has come."];
  const as_of = "2026-01-01T10:21:52.000000Z";
  server.on(COMPARE, () => json(200, createComparison({ a: running, b: B, notes, as_of })));
  renderAt("/compare?a=0199-a&b=0199-b", ROUTES);
  await screen.findByText("They did not diverge");
  screen.getByText(notes[0] ?? "");
  screen.getByRole("button", { name: /^As of \d\d:\d\d:52$/ });
  screen.getByText("No step has begun in either.");
});

it("while one still runs the comparison is read again as it goes on, and no longer once both have ended", async () => {
  const running = createExecutionRow({ execution_id: "0199-a", pipeline_version: null, status: "running" });
  const as_of = "2026-01-01T10:21:52.000000Z";
  server.on(COMPARE, () => json(200, createComparison({ a: running, b: B, as_of })));
  renderAt("/compare?a=0199-a&b=0199-b", ROUTES);
  await screen.findByText("They did not diverge");
  const socket = FakeSocket.newest;
  const change = (execution_id: string) =>
    act(() => socket.say({ type: "hints", items: [{ execution_id, sequence: 9, status: "running" }] }));
  change("0199-another");
  expect(server.to(COMPARE)).toHaveLength(1);
  server.on(COMPARE, () => json(200, DIFFERENT));
  change("0199-a");
  await screen.findByText("Where they first diverged");
  expect([server.to(COMPARE).length, socket.isClosed]).toEqual([2, true]);
  expect(screen.queryByRole("button", { name: /^As of/ })).toBeNull();
});

it("two that have ended are not followed", async () => {
  server.on(COMPARE, () => json(200, DIFFERENT));
  renderAt("/compare?a=0199-a&b=0199-b", ROUTES);
  await screen.findByText("Where they first diverged");
  expect(FakeSocket.opened).toEqual([]);
});

it("what cannot be compared is told with the reason", async () => {
  server.on(COMPARE, () => refusal(404, "No execution of 'Nightly' completed before '0199-a'."));
  renderAt("/compare?a=0199-a", ROUTES);
  await screen.findByText("They cannot be compared");
  screen.getByText(/No execution of 'Nightly' completed/);
});

it("without an execution it says how to choose two", async () => {
  renderAt("/compare", ROUTES);
  await screen.findByText("Choose two executions");
});
