import { cleanup, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { OWN_ZONE } from "@/components/ui/moments";
import { momentText } from "@/domain/time";
import { at, createExecution, createExecutionRow } from "@/mocks/create-execution";
import { createFailure } from "@/mocks/create-failure";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Component } from "./execution-page";

const server = new FakeServer();

beforeEach(() => {
  server.install();
  FakeSocket.install();
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
});

it("goes from the address with the caller's id to the execution's own", async () => {
  const row = createExecution({ execution_id: "0199", alias: "order 17/ü?", pipeline_version: null });
  server.on("GET /api/executions/order%2017%2F%C3%BC%3F", () => json(200, row));
  server.on("GET /api/executions/0199", () => json(200, row));
  const { router } = renderAt("/executions/order%2017%2F%C3%BC%3F?tab=input", [
    { path: "/executions/:executionId", element: <Component /> },
  ]);
  await waitFor(() => expect(router.state.location.pathname).toBe("/executions/0199"));
  expect(router.state.location.search).toBe("?tab=input");
  await screen.findByText("order 17/ü?");
  screen.getByText("Caller's id");
  expect(FakeSocket.opened.map((socket) => new URL(socket.url).pathname)).toEqual(["/ws/executions/0199"]);
});

it.each([
  [{ status: "waiting", started_at: null }, "Due", "–"],
  [{ status: "waiting" }, "Goes on", "0 ms"],
  [{ status: "waiting_for_human" }, "No later than", "0 ms"],
] as const)("of %j the time to go on is called %s", async (row, name, queued) => {
  const shown = createExecution({ execution_id: "0199", run_at: at(3_600_000), ...row });
  server.on("GET /api/executions/0199", () => json(200, shown));
  renderAt("/executions/0199", [{ path: "/executions/:executionId", element: <Component /> }]);
  expect((await screen.findByText(name)).nextElementSibling?.querySelector("time")?.dateTime).toBe(at(3_600_000));
  expect(screen.getByText("Queue time").nextElementSibling?.textContent).toBe(queued);
});

it("a copy says that it is one, since when and by which hash, and why it cannot be resumed", async () => {
  const row = { execution_id: "0199", status: "cancelled", owner: null, pipeline_version: 1 } as const;
  const copy = { imported_at: at(0), rows_sha256: "0123456789abcdef", went_on: true };
  server.on("GET /api/executions/0199", () => json(200, createExecution({ ...row, ...copy })));
  renderAt("/executions/0199", [{ path: "/executions/:executionId", element: <Component /> }]);
  expect(await screen.findByText("Copy of a run that went on elsewhere")).toBeTruthy();
  const fact = (name: string) => screen.getByText(name).nextElementSibling;
  expect(fact("Came from")?.querySelector("time")?.dateTime).toBe(at(0));
  expect(fact("SHA-256 of its rows")?.textContent).toBe("0123456789ab…");
  expect(fact("Ran on")?.textContent).toBe("elsewhere");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Resume" }).disabled).toBe(true);
});

it("the banner of a failed one says how often it fails so, and leads there", async () => {
  const failure = createFailure({ state: "muted" });
  const row = { execution_id: "0199", status: "failed", failure_group: failure.failure_group } as const;
  const shown = createExecution({ ...row, pipeline_version: null, error_message: "no order 17 in in.csv" });
  server.on("GET /api/executions/0199", () => json(200, shown));
  server.on(`GET /api/failures/pipeline.${failure.failure_group}`, () => json(200, failure));
  const before = createExecutionRow({ execution_id: "0198-good", pipeline_version: 2, status: "completed" });
  server.on("GET /api/executions/0199/last-good", () => json(200, { execution: before }));
  renderAt("/executions/0199", [{ path: "/executions/:executionId", element: <Component /> }]);
  const link = await screen.findByRole("link", { name: "It failed so 37 times in the last 7 days" });
  expect(link.getAttribute("href")).toBe(`/failures/${failure.id}`);
  const began = `Began with v3, ${momentText(failure.first_at, OWN_ZONE, "minute")}.`;
  expect(link.parentElement?.textContent).toBe(`It failed so 37 times in the last 7 days: muted. ${began}`);
  const good = await screen.findByRole("link", { name: "0198-good" });
  expect(good.getAttribute("href")).toBe("/executions/0198-good");
  expect(screen.getByRole("link", { name: "What differs" }).getAttribute("href")).toBe("/compare?a=0199&b=0198-good");
});

it("the banner is there without the group, where that cannot be read", async () => {
  const row = { execution_id: "0199", status: "failed", failure_group: "0f3a9c2b7d4e1856" } as const;
  const shown = createExecution({ ...row, pipeline_version: null, error_message: "no order 17 in in.csv" });
  server.on("GET /api/executions/0199", () => json(200, shown));
  server.on("GET /api/executions/0199/last-good", () => json(200, { execution: null }));
  server.on("GET /api/failures/pipeline.0f3a9c2b7d4e1856", () => refusal(503, "The database is away."));
  renderAt("/executions/0199", [{ path: "/executions/:executionId", element: <Component /> }]);
  await screen.findByText("It failed");
  await waitFor(() => expect(server.to("GET /api/failures/pipeline.0f3a9c2b7d4e1856")).toHaveLength(1));
  screen.getByText("no order 17 in in.csv");
  await screen.findByText("No run of this pipeline has completed before it.");
  expect(screen.queryByRole("link", { name: /^It failed so/ })).toBeNull();
});

it("links to its trace where the server knows where traces are", async () => {
  const trace_url = "https://traces.example.com/trace/0190f3c2a1b47c3d9e8f7a6b5c4d3e2f";
  const shown = createExecution({ execution_id: "0199", trace_url, pipeline_version: null });
  server.on("GET /api/executions/0199", () => json(200, shown));
  renderAt("/executions/0199", [{ path: "/executions/:executionId", element: <Component /> }]);
  const link = await screen.findByRole<HTMLAnchorElement>("link", { name: "0190f3c2…" });
  expect([link.href, link.rel]).toEqual([trace_url, "noopener noreferrer"]);
});

it("of a loop more steps may be done than were announced: then as many as are known", async () => {
  const shown = createExecution({ execution_id: "0199", status: "running", total_steps: 2, completed_steps: 10 });
  server.on("GET /api/executions/0199", () => json(200, shown));
  renderAt("/executions/0199", [{ path: "/executions/:executionId", element: <Component /> }]);
  await screen.findByText("10 of 10 done");
});
