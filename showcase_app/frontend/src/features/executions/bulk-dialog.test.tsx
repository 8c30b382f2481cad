import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { BulkOut } from "@/api/schema.gen";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { type BulkAction, BulkDialog, type BulkTarget } from "./bulk-dialog";

const BULK = "POST /api/executions/bulk";
const server = new FakeServer();
const close = vi.fn();
const NOTHING: BulkOut = {
  matched: 0,
  matched_capped: false,
  done: 0,
  refused: [],
  left_out: [],
  token: null,
  steps: [],
};

beforeEach(() => {
  server.install();
  close.mockReset();
});

afterEach(() => {
  cleanup();
  server.remove();
});

function show(action: BulkAction, target: BulkTarget, others = 0): void {
  const element = <BulkDialog action={action} target={target} others={others} onClose={close} />;
  renderAt("/", [{ path: "/", element }]);
}

function answer(counted: Partial<BulkOut>, changed: Partial<BulkOut>): void {
  server.on(BULK, async (request) => {
    const { dry_run } = (await request.clone().json()) as { dry_run: boolean };
    return json(200, { ...NOTHING, ...(dry_run ? counted : changed) });
  });
}

const SEND = { step_id: "send", step_name: "Send", effect: "external", effect_text: "external" } as const;

it("names what has effects and what is left out, and changes those that were counted and no others", async () => {
  const left_out = [
    { execution_id: "a", rerun_id: "0199c3f2-0000-7000-8000-00000000abcd", status: "pending" as const },
  ];
  answer(
    { matched: 3, token: "those", left_out, steps: [{ ...SEND, may_have_effects: true, executions: 2 }] },
    { matched: 3, done: 2, left_out },
  );
  const rerun = { from_step: "send", version: 4 };
  show("rerun", { filter: { status: ["failed"] }, rerun });
  await screen.findByText(/^2 executions\. Each becomes a new execution/);
  screen.getByText(/external, in 2 executions/);
  screen.getByText(/1 execution left out: it has a re-run/);
  fireEvent.click(screen.getByRole("button", { name: "Run again 2" }));
  await screen.findByText("2 executions queued again.");
  expect(await server.bodies(BULK)).toEqual([
    { action: "rerun", filter: { status: ["failed"] }, rerun, dry_run: true },
    { action: "rerun", token: "those", rerun, dry_run: false },
  ]);
  expect(server.to(BULK)[1]?.headers.get("Idempotency-Key")).toMatch(/^[0-9a-f]{32}$/);
});

it("those that are named are named again", async () => {
  answer({ matched: 1 }, { matched: 1, done: 1 });
  show("resume", { execution_ids: ["a"] }, 2);
  await screen.findByText(/^1 execution\. Each goes on where it stopped/);
  screen.getByText("2 executions of those selected left out: only what failed or was cancelled can go on.");
  fireEvent.click(screen.getByRole("button", { name: "Resume 1" }));
  await screen.findByText(/1 execution back in the queue/);
  expect(await server.bodies(BULK)).toEqual([
    { action: "resume", execution_ids: ["a"], dry_run: true },
    { action: "resume", execution_ids: ["a"], dry_run: false },
  ]);
});

it("what is all left out cannot be run again", async () => {
  const left_out = [{ execution_id: "a", rerun_id: "b", status: "completed" as const }];
  answer({ matched: 1, token: "t", left_out }, {});
  show("rerun", { filter: {} });
  await screen.findByText("None of them can be run again.");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Run again" }).disabled).toBe(true);
});

/** Answers each part with all of it done, until `breaks` says of one that the server is away. */
function answerParts(matched: number, breaks: (place: number) => boolean = () => false): void {
  let place = 0;
  server.on(BULK, async (request) => {
    const { dry_run, limit = null, skip = 0 } = (await request.clone().json()) as Record<string, never>;
    if (dry_run) return json(200, { ...NOTHING, matched, token: "t" });
    if (breaks(place++)) return refusal(503, "The database is away.");
    const count = limit === null ? matched : Math.min(limit, matched - skip);
    return json(200, { ...NOTHING, matched: count, done: count });
  });
}

const acts = async () => (await server.bodies(BULK)).slice(1).map((body) => (body as { skip?: number }).skip);

it("many go in parts with one key, and a part that failed is where it goes on when it is sent again", async () => {
  answerParts(250, (place) => place === 1);
  show("rerun", { filter: { status: ["failed"] } });
  fireEvent.click(await screen.findByRole("button", { name: "Run again 250" }));
  expect((await screen.findByRole("alert")).textContent).toContain("100 executions had their turn before.");
  screen.getByText(/what was done already is not done twice/);
  fireEvent.click(screen.getByRole("button", { name: "Run again 250" }));
  await screen.findByText("250 executions queued again.");
  expect(await acts()).toEqual([0, 100, 100, 200]);
  const keys = new Set(server.to(BULK).map((request) => request.headers.get("Idempotency-Key")));
  expect([...keys].filter((key) => key !== null)).toHaveLength(1);
});

it("how far it is is said, and it is stopped between two parts", async () => {
  let answerNow = (): void => undefined;
  answerParts(250);
  show("rerun", { filter: {} });
  const button = await screen.findByRole("button", { name: "Run again 250" });
  const answered = new Promise<void>((resolve) => {
    answerNow = resolve;
  });
  server.on(BULK, async () => {
    await answered;
    return json(200, { ...NOTHING, matched: 100, done: 100 });
  });
  fireEvent.click(button);
  await screen.findByText("0 of 250 have had their turn.");
  screen.getByRole("progressbar", { name: "How far it is" });
  fireEvent.click(screen.getByRole("button", { name: "Stop" }));
  answerNow();
  await screen.findByText("100 executions queued again.");
  screen.getByText("Stopped before 150 executions, which stay as they are.");
  expect(await acts()).toEqual([0]);
  expect(close).not.toHaveBeenCalled();
  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(close).toHaveBeenCalledWith(true);
});
