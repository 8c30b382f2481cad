import { cleanup, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { at, createExecutionRow } from "@/mocks/create-execution";
import { createFailure } from "@/mocks/create-failure";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Component } from "./failure-page";

const server = new FakeServer();
const FAILURE = createFailure({
  message: "no <b>order</b> <n>",
  versions: [null, 4],
  state: "open",
  mended_in_version: 4,
  marked_by: "ada",
  marked_at: at(-1000),
  reopened_at: at(0),
});
const ONE = `GET /api/failures/${FAILURE.id}`;

beforeEach(() => {
  server.install();
  FakeSocket.install();
  server.on(ONE, () => json(200, FAILURE));
  const failed = createExecutionRow({ execution_id: "0199-newest", status: "failed", error_message: "no order 17" });
  server.on("GET /api/executions", () =>
    json(200, { items: [failed], next_cursor: null, searched: null, looked_back_to: null }),
  );
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
});

const show = (address: string) => renderAt(address, [{ path: "/failures/:failureId", element: <Component /> }]);

it("tells what failed as plain text, what people said of it, and its newest executions", async () => {
  show(`/failures/${FAILURE.id}?window=24h`);
  const what = await screen.findByRole("region", { name: "What failed" });
  expect(what.textContent).toContain("KeyError: no <b>order</b> <n>");
  screen.getByText("Open again");
  screen.getByText(/^ada said that it is mended by v4\. It has failed so again since/); // with the times in between
  const newest = await screen.findByRole("region", { name: "The newest" });
  await within(newest).findByText("no order 17");
  expect(screen.getByRole("link", { name: "37 executions" }).getAttribute("href")).toContain("failed_after=");
  expect(screen.getByRole("link", { name: "v4" }).getAttribute("href")).toBe("/pipelines/pipeline?version=4");
  const [since] = server.to(ONE).map((request) => new URL(request.url).searchParams.get("since"));
  expect(Math.floor((Date.now() - Date.parse(since ?? "")) / 3_600_000)).toBe(24);
  const [list] = server.to("GET /api/executions").map((request) => new URL(request.url).searchParams);
  expect([list?.get("failure_group"), list?.get("failed_after")]).toEqual([
    FAILURE.failure_group,
    FAILURE.trend[0]?.start,
  ]);
});

it("a group that nobody knows is told apart from one that could not be read", async () => {
  server.on(ONE, () => refusal(404, "No failures are known by 'nightly.0'."));
  show(`/failures/${FAILURE.id}`);
  await screen.findByText("There are no such failures");
  cleanup();
  server.on(ONE, () => refusal(503, "The database is away."));
  show(`/failures/${FAILURE.id}`);
  expect((await screen.findByRole("alert")).textContent).toContain("The failures could not be read");
});
