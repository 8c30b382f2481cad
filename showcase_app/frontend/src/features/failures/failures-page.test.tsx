import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { FailureOut } from "@/api/schema.gen";
import { stringifyJson } from "@/domain/json";
import { at } from "@/mocks/create-execution";
import { createBulk, createFailure, createFailurePage } from "@/mocks/create-failure";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Component } from "./failures-page";

const LIST = "GET /api/failures";
const BULK = "POST /api/executions/bulk";
const server = new FakeServer();
const ORDERS = createFailure();
const ROWS = createFailure({ failure_group: "1111111111111111", message: "no row <n>", count: 2, versions: [null] });
let items: FailureOut[] = [];

beforeEach(() => {
  server.install();
  FakeSocket.install();
  items = [ORDERS, ROWS];
  server.on(LIST, () => json(200, createFailurePage(items)));
  server.on("GET /api/pipelines", () => json(200, { items: [], next_cursor: null }));
  const version = { definition: {}, created_at: at(0), content_hash: "" };
  const versions = [
    { ...version, version: 4, is_current: true },
    { ...version, version: 3, is_current: false },
  ];
  server.on("GET /api/pipelines/pipeline/versions", () => json(200, { items: versions, next_cursor: null }));
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
});

const show = (address = "/failures") => renderAt(address, [{ path: "/failures", element: <Component /> }]);
const rowOf = (name: string) => screen.findByRole("article", { name });

it("tells of each group what failed, where, how often, when, and leads to its executions", async () => {
  show();
  const row = await rowOf("KeyError: no order <n> in <path>");
  within(row).getByText("KeyError");
  within(row).getByText("load");
  within(row).getByText("v3, v4");
  within(row).getByText("Open");
  within(row).getByRole("img", { name: /^Most failures, 25, from/ });
  const count = within(row).getByRole("link", { name: "37 failed so" });
  const since = encodeURIComponent(createFailurePage([]).since);
  expect(count.getAttribute("href")).toBe(`/executions?failure=${ORDERS.id}&failed_after=${since}`);
  const links = within(row).getAllByRole("link");
  expect(links.map((link) => link.getAttribute("href"))).toContain("/executions/0199-newest");
  within(await rowOf("KeyError: no row <n>")).getByText("no version");
});

it("its filters are in the address, and go to the server", async () => {
  const { router } = show("/failures?window=24h&pipeline_id=p1");
  await rowOf("KeyError: no row <n>");
  fireEvent.click(screen.getByRole("radio", { name: "Muted" }));
  await waitFor(() => expect(router.state.location.search).toBe("?window=24h&pipeline_id=p1&state=muted"));
  await waitFor(() => expect(server.to(LIST)).toHaveLength(2));
  const [first, second] = server.to(LIST).map((request) => new URL(request.url).searchParams);
  expect([first?.get("pipeline_id"), first?.get("state"), second?.get("state")]).toEqual(["p1", null, "muted"]);
  const hours = (Date.now() - Date.parse(first?.get("since") ?? "")) / 3_600_000;
  expect(Math.floor(hours)).toBe(24);
});

it("a group is muted at once, before the server has answered", async () => {
  let answer: (response: Response) => void = () => undefined;
  server.on(`POST /api/failures/${ORDERS.id}/mute`, () => new Promise<Response>((resolve) => (answer = resolve)));
  show();
  const row = await rowOf("KeyError: no order <n> in <path>");
  fireEvent.click(within(row).getByRole("button", { name: /^Mute/ }));
  await within(row).findByText("Muted");
  const muted = { ...ORDERS, state: "muted", marked_by: "ada", marked_at: at(0) } as const;
  items = [muted, ROWS];
  answer(json(200, muted));
  await waitFor(() => expect(server.to(LIST)).toHaveLength(2));
  within(row).getByText("Muted");
  within(row).getByRole("button", { name: /^Unmute/ });
});

it("what the server refuses is taken back", async () => {
  server.on(`POST /api/failures/${ORDERS.id}/mute`, () => refusal(503, "The database is away."));
  show();
  const row = await rowOf("KeyError: no order <n> in <path>");
  fireEvent.click(within(row).getByRole("button", { name: /^Mute/ }));
  await waitFor(() => expect(server.to(LIST)).toHaveLength(2));
  await within(row).findByText("Open");
});

it("a group is marked as mended by a version that is chosen", async () => {
  const mended = { ...ORDERS, state: "mended", mended_in_version: 3, marked_by: "ada", marked_at: at(0) } as const;
  server.on(`POST /api/failures/${ORDERS.id}/mended`, () => {
    items = [mended, ROWS];
    return json(200, mended);
  });
  show();
  const row = await rowOf("KeyError: no order <n> in <path>");
  fireEvent.click(within(row).getByRole("button", { name: /^Mended…/ }));
  const version = await screen.findByLabelText("Version of Nightly");
  expect((version as HTMLSelectElement).value).toBe("4");
  fireEvent.change(version, { target: { value: "3" } });
  fireEvent.click(screen.getByRole("button", { name: "Mended by v3" }));
  await within(row).findByText("Mended by v3");
  expect(stringifyJson(await server.bodies(`POST /api/failures/${ORDERS.id}/mended`))).toBe('[{"version":3}]');
});

it("a viewer is told why nothing can be done", async () => {
  server.signIn("viewer");
  show();
  const row = await rowOf("KeyError: no order <n> in <path>");
  const mute = await within(row).findByRole("button", { name: /^Mute .*: You are signed in as a viewer/ });
  fireEvent.click(mute);
  within(row).getByText("Open");
});

it("says that they could not be read, not that nothing failed", async () => {
  server.on(LIST, () => refusal(503, "The database is away."));
  show();
  expect((await screen.findByRole("alert")).textContent).toContain("The failures could not be read");
  expect(screen.queryByText("Nothing failed")).toBeNull();
  items = [];
  server.on(LIST, () => json(200, createFailurePage([])));
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText("Nothing failed");
});

const STEPS = [
  {
    step_id: "load",
    step_name: "Load",
    effect: null,
    effect_text: "not said: may have effects",
    may_have_effects: true,
    executions: 34,
  },
];
const PLANNED = createBulk({
  matched: 37,
  token: "the-token",
  steps: STEPS,
  left_out: [{ execution_id: "0199-old", rerun_id: "0199-again", status: "running" }],
  refused: [
    { execution_id: "0199-a", reason: "No version of it is on record." },
    { execution_id: "0199-b", reason: "No version of it is on record." },
  ],
});

/** What came to the door of many executions: the body and the key of each request. */
async function sent(): Promise<unknown[]> {
  const bodies = await server.bodies(BULK);
  return server.to(BULK).map((request, place) => [bodies[place], request.headers.get("Idempotency-Key")]);
}

it("what would run again is told first; sent twice it has one key, and so starts each once", async () => {
  let away = true;
  server.on(BULK, async (request) => {
    const { dry_run } = (await request.clone().json()) as { dry_run: boolean };
    if (dry_run) return json(200, PLANNED);
    return away ? refusal(503, "The database is away.") : json(200, createBulk({ matched: 37, done: 34 }));
  });
  show();
  const row = await rowOf("KeyError: no order <n> in <path>");
  fireEvent.click(within(row).getByRole("button", { name: /^Re-run…/ }));
  const dialog = await screen.findByRole("dialog", { name: "Re-run from load" });
  await within(dialog).findByText(/^34 executions\. Each becomes a new execution, which begins at load/);
  expect(within(dialog).getByText("Load").parentElement?.textContent).toBe(
    "Load: not said: may have effects, in 34 executions",
  );
  within(dialog).getByText(/^1 execution left out: it has a re-run/);
  within(dialog).getByText("2 executions left as they are:");
  const send = within(dialog).getByRole("button", { name: "Run again 34" });
  fireEvent.click(send);
  await within(dialog).findByText(/^The database is away\. Send it again/);
  away = false;
  fireEvent.click(send);
  await within(dialog).findByText("34 executions queued again.");

  const filter = {
    pipeline_id: "pipeline",
    failure_group: ORDERS.failure_group,
    failed_after: createFailurePage([]).since,
  };
  const [plan, first, second] = await sent();
  const rerun = { from_step: "load" };
  expect(plan).toEqual([{ action: "rerun", filter, rerun, dry_run: true }, null]);
  const key = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(first).toEqual([{ action: "rerun", token: "the-token", rerun, dry_run: false }, key]);
  expect(second).toEqual(first);
});

it("on another version it is looked at anew, with a key of its own", async () => {
  server.on(BULK, async (request) => {
    const body = (await request.clone().json()) as { dry_run: boolean; rerun: { version?: number } };
    if (!body.dry_run) return json(200, createBulk({ matched: 2, done: 2 }));
    const token = `token-${body.rerun.version ?? "own"}`;
    return json(200, createBulk({ matched: 2, token }));
  });
  items = [createFailure({ state: "mended", mended_in_version: 4 })];
  show();
  const row = await rowOf("KeyError: no order <n> in <path>");
  fireEvent.click(within(row).getByRole("button", { name: /^Re-run…/ }));
  const version = await screen.findByLabelText("Version");
  expect((version as HTMLSelectElement).value).toBe("4"); // the one that mends it
  await screen.findByRole("button", { name: "Run again 2" });
  fireEvent.change(version, { target: { value: "" } });
  await waitFor(() => expect(server.to(BULK)).toHaveLength(2));
  fireEvent.click(await screen.findByRole("button", { name: "Run again 2" }));
  await screen.findByText("2 executions queued again.");
  const bodies = (await server.bodies(BULK)) as { token?: string }[];
  expect(bodies[2]).toMatchObject({ token: "token-own", rerun: { from_step: "load" } });
});
