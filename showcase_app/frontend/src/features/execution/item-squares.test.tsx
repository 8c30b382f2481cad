import { act, cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { executionKeys } from "@/api/executions";
import type { ItemGridOut, StepDetail } from "@/api/schema.gen";
import { at, createExecution, createItemGrid, createStep } from "@/mocks/create-execution";
import { FakeServer, json } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { ItemSquares } from "./item-squares";

const GRID = "GET /api/executions/execution/runs/grid";
const server = new FakeServer();
const onOpen = vi.fn<(item: number) => void>();
const onGoTo = vi.fn<(item: number) => void>();

beforeEach(() => {
  server.install();
  onOpen.mockClear();
  onGoTo.mockClear();
});

afterEach(() => {
  cleanup();
  server.remove();
});

const running = createStep({ step_id: "work", sequence: 3 });
const five = createItemGrid({
  items: 5,
  statuses: ["waiting", "completed", "failed"],
  squares: "121-0",
  by_status: { completed: 2, failed: 1, waiting: 1 },
  sequence: 3,
});

type Narrowed = { status?: "failed"; found?: { iteration: number }[]; left?: number };

function show(grid: ItemGridOut, row: StepDetail = running, { status, found, left }: Narrowed = {}) {
  server.on(GRID, () => json(200, grid));
  const squares = (
    <ItemSquares
      row={row}
      status={status ?? null}
      found={found ?? null}
      left={left ?? null}
      onOpen={onOpen}
      onGoTo={onGoTo}
    />
  );
  return renderAt("/", [{ path: "/", element: squares }]);
}

const list = () => screen.findByRole("listbox");
const options = () => screen.getAllByRole("option");
const active = (element: HTMLElement) =>
  document.getElementById(element.getAttribute("aria-activedescendant") ?? "")?.getAttribute("aria-label");

it("each item is a square that says its number and how it stands", async () => {
  show(five);
  await list();
  expect(options().map((option) => option.getAttribute("aria-label"))).toEqual([
    "1: Completed",
    "2: Failed",
    "3: Completed",
    "4: Not begun",
    "5: Waiting",
  ]);
  expect(options().map((option) => option.dataset.status)).toEqual([
    "completed",
    "failed",
    "completed",
    "ahead",
    "waiting",
  ]);
  screen.getByText("5 items: 2 completed, 1 failed, 1 waiting, 1 not begun.");
  const query = new URL(server.to(GRID)[0]?.url ?? "").searchParams;
  expect([query.get("step_id"), query.get("iteration")]).toEqual(["work", "1"]);
});

it("it is one stop of the keyboard: arrows move in it, Enter opens, and what has not begun does not open", async () => {
  show(five);
  const squares = await list();
  expect(document.querySelectorAll("[tabindex='0']")).toHaveLength(1);
  expect(active(squares)).toBe("1: Completed");
  fireEvent.keyDown(squares, { key: "ArrowRight" });
  expect(active(squares)).toBe("2: Failed");
  fireEvent.keyDown(squares, { key: "Enter" });
  expect(onOpen.mock.calls).toEqual([[2]]);
  fireEvent.keyDown(squares, { key: "End" });
  fireEvent.keyDown(squares, { key: "ArrowLeft" });
  expect(active(squares)).toBe("4: Not begun");
  fireEvent.keyDown(squares, { key: " " });
  expect(onOpen.mock.calls).toEqual([[2]]);
  expect(fireEvent.keyDown(squares, { key: "Tab" })).toBe(true); // not taken away
});

it("a click opens the item, and the keys go on from there", async () => {
  show(five);
  const squares = await list();
  fireEvent.click(screen.getByRole("option", { name: "3: Completed" }));
  expect(onOpen.mock.calls).toEqual([[3]]);
  expect(active(squares)).toBe("3: Completed");
});

it("the item that was looked at before gets the focus back", async () => {
  show(five, running, { left: 5 });
  const squares = await list();
  expect(document.activeElement).toBe(squares);
  expect(active(squares)).toBe("5: Waiting");
});

it("those of another status are faded, and what was found is marked", async () => {
  show(five, running, { status: "failed", found: [{ iteration: 5 }, { iteration: 1 }] });
  await list();
  const places = (mark: "faded" | "found") => options().flatMap((option, n) => (option.dataset[mark] ? [n + 1] : []));
  expect(places("faded")).toEqual([1, 3, 4, 5]);
  expect(places("found")).toEqual([1, 5]);
});

it("of very many, a square is several of them, which says so and leads to their part of the table", async () => {
  const many = createItemGrid({
    items: 100_000,
    per_square: 50,
    statuses: ["completed", "failed"],
    squares: `${"0".repeat(1999)}1`,
    by_status: { completed: 99_999, failed: 1 },
    sequence: 3,
  });
  show(many, running, { status: "failed", found: [{ iteration: 51 }] });
  await screen.findByRole("listbox", { name: "Items of the list, 50 in a square" });
  const last = screen.getByRole("option", { name: "99,951 to 100,000, at worst: Failed" });
  screen.getByText(/A square is 50 of them, and shows the worst\./);
  expect(options()).toHaveLength(2000);
  expect(options().some((option) => option.dataset.faded)).toBe(false);
  expect(options().findIndex((option) => option.dataset.found)).toBe(1);
  fireEvent.click(last);
  expect([onGoTo.mock.calls, onOpen.mock.calls]).toEqual([[[99_951]], []]);
});

it("it is read again when the execution has gone on, and not for what it knows", async () => {
  const { client } = show(five);
  const goOn = (sequence: number) =>
    act(() => client.setQueryData(executionKeys.detail("execution"), createExecution({ sequence })));
  await list();
  goOn(3);
  expect(server.to(GRID)).toHaveLength(1);
  server.on(GRID, () => json(200, { ...five, squares: "12110", sequence: 5 }));
  goOn(5);
  await screen.findByRole("option", { name: "4: Completed" });
  expect(server.to(GRID)).toHaveLength(2);
});

it("what has ended is not read again, however the execution goes on", async () => {
  const ended = { ...running, status: "completed", completed_at: at(1) } as const;
  const { client } = show(five, ended);
  await list();
  act(() => client.setQueryData(executionKeys.detail("execution"), createExecution({ sequence: 9 })));
  await waitFor(() => expect(client.isFetching()).toBe(0));
  expect(server.to(GRID)).toHaveLength(1);
});

it("a map without items has no squares", async () => {
  show(createItemGrid());
  await waitFor(() => expect(screen.queryByRole("status")).toBeNull());
  expect(screen.queryByRole("listbox")).toBeNull();
});
