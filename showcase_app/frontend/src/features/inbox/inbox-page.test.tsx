import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ListedInteraction } from "@/api/schema.gen";
import { at } from "@/mocks/create-execution";
import { createInteractionDetail, createListedInteraction } from "@/mocks/create-interaction";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Component } from "./inbox-page";

const LIST = "GET /api/interactions";
const BULK = "POST /api/interactions/bulk";
const server = new FakeServer();
let rows: ListedInteraction[] = [];

beforeEach(() => {
  window.localStorage.clear();
  server.install();
  FakeSocket.install();
  rows = [question("3"), question("2", { step_id: "other" }), question("1")];
  server.on(LIST, () => json(200, { items: rows, next_cursor: null }));
  server.on("GET /api/pipelines", () => json(200, { items: [], next_cursor: null }));
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
});

function question(interaction_id: string, row: Partial<ListedInteraction> = {}): ListedInteraction {
  const listed = createListedInteraction({ interaction_id, prompt: `Is **${interaction_id}** good?`, ...row });
  server.on(`GET /api/interactions/${interaction_id}`, () =>
    json(200, createInteractionDetail({ ...listed, data: { amount: Number(interaction_id) * 100 } })),
  );
  return listed;
}

const show = (address = "/inbox") => renderAt(address, [{ path: "/inbox", element: <Component /> }]);
const shown = () => [...document.querySelectorAll<HTMLElement>("[data-question]")].map((row) => row.dataset.question);
const box = (id: string) => screen.getByRole<HTMLInputElement>("checkbox", { name: `Select: Is ${id} good?` });
const lastQuery = () => new URL(server.to(LIST).at(-1)?.url ?? "").searchParams;

it("shows what waits, and what is asked meanwhile by itself", async () => {
  show();
  await waitFor(() => expect(shown()).toEqual(["3", "2", "1"]));
  expect(lastQuery().get("status")).toBe("pending");
  rows = [question("4"), ...rows];
  const hint = { execution_id: "execution", sequence: 2, status: "waiting_for_human" };
  act(() => FakeSocket.newest.say({ type: "hints", items: [hint] }));
  await waitFor(() => expect(shown()).toEqual(["4", "3", "2", "1"]));
});

it("says who answered, whether a key stands for the name, and when", async () => {
  const answered = { status: "answered", actor: "ann", completed_at: at(0), answered_by: 1 } as const;
  rows = [question("2", answered), question("1", { ...answered, verified: true })];
  show("/inbox?status=answered&assigned_to=ann");
  expect(await screen.findByText("Answered by ann (not verified)")).toBeTruthy();
  expect(screen.getByText("Answered by ann")).toBeTruthy();
  expect([lastQuery().get("status"), lastQuery().get("assigned_to")]).toEqual(["answered", "ann"]);
  expect(screen.queryByRole("checkbox")).toBeNull();
});

it("keeps its filters in the address, and begins without a cursor then", async () => {
  const { router } = show();
  await waitFor(() => expect(shown()).toHaveLength(3));
  fireEvent.click(screen.getByRole("radio", { name: "All" }));
  await waitFor(() => expect(router.state.location.search).toBe("?status=all"));
  await waitFor(() => expect(lastQuery().get("status")).toBeNull());
  fireEvent.change(screen.getByLabelText("Assigned to"), { target: { value: "bob" } });
  await waitFor(() => expect(lastQuery().get("assigned_to")).toBe("bob"));
  expect(router.state.location.search).toBe("?status=all&assigned_to=bob");
});

it("more comes from the cursor", async () => {
  server.on(LIST, (request) => {
    const cursor = new URL(request.url).searchParams.get("cursor");
    return json(
      200,
      cursor === "1" ? { items: [question("0")], next_cursor: null } : { items: rows, next_cursor: "1" },
    );
  });
  show();
  fireEvent.click(await screen.findByRole("button", { name: "Load more" }));
  await waitFor(() => expect(shown()).toEqual(["3", "2", "1", "0"]));
  expect(screen.queryByRole("button", { name: "Load more" })).toBeNull();
});

it("says that they could not be read, not that there are none", async () => {
  server.on(LIST, () => refusal(503, "The database is away."));
  show();
  expect((await screen.findByRole("alert")).textContent).toContain("The questions could not be read");
  expect(screen.queryByText("Nobody is asked for anything")).toBeNull();
  server.on(LIST, () => json(200, { items: [], next_cursor: null }));
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Nobody is asked for anything")).toBeTruthy();
});

it("those alike are answered together: each with its data, and who was first where somebody was", async () => {
  server.on(BULK, () =>
    json(200, {
      done: 1,
      refused: [{ interaction_id: "1", reason: "It was answered.", actor: "bob", closed_at: at(0) }],
    }),
  );
  show();
  await waitFor(() => expect(shown()).toHaveLength(3));
  fireEvent.click(box("3"));
  expect(box("2").disabled).toBe(true);
  fireEvent.click(screen.getByRole("button", { name: "All 2 that are alike" }));
  expect(box("1").checked).toBe(true);
  fireEvent.click(screen.getByRole("button", { name: "Answer…" }));
  const dialog = await screen.findByRole("dialog");
  await waitFor(() => expect(within(dialog).getAllByRole("tree")).toHaveLength(2));
  expect(dialog.textContent).toContain("300");
  expect(dialog.textContent).toContain("100");
  const field = await within(dialog).findByLabelText(/Answer/, { selector: "textarea" });
  fireEvent.change(field, { target: { value: '{"ok": 9007199254740993}' } });
  fireEvent.click(within(dialog).getByRole("button", { name: "Answer 2 questions" }));
  expect(await within(dialog).findByText("1 question has this answer.")).toBeTruthy();
  expect(dialog.textContent).toContain("Answered by bob");
  const [sent] = server.to(BULK);
  expect(await sent?.clone().text()).toBe('{"interaction_ids":["3","1"],"response":{"ok":9007199254740993}}');
  fireEvent.click(within(dialog).getByRole("button", { name: "Close" }));
  await waitFor(() => expect(screen.queryByText("2 selected")).toBeNull());
});

it("what is for others cannot be selected", async () => {
  server.signIn("approver", { actor: "bob", keys_required: true });
  rows = [question("1", { assigned_users: ["ann"] })];
  show();
  await waitFor(() => expect(box("1").disabled).toBe(true));
  expect(screen.queryByLabelText("Assigned to")).toBeNull();
});
