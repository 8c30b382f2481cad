import type { RowSelectionState } from "@tanstack/react-table";
import { act, cleanup, fireEvent, screen, within } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ExecutionOut } from "@/api/schema.gen";
import { COLUMNS, type ColumnId } from "@/domain/list-view";
import { at, createExecutionRow } from "@/mocks/create-execution";
import { renderAt } from "@/mocks/render-at";
import { ExecutionRows } from "./execution-rows";

const WIDE = 1440;
const NARROW = 360;
const onMore = vi.fn();
const { happyDOM } = window as unknown as { happyDOM: { setViewport: (size: { width: number }) => void } };

beforeEach(() => {
  onMore.mockReset();
  vi.useFakeTimers({ now: Date.parse(at(90_000)) });
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

let update: (rows: ExecutionOut[]) => void = () => undefined;

type Shown = {
  width?: number;
  hasMore?: boolean;
  isReading?: boolean;
  columns?: readonly ColumnId[];
  isDense?: boolean;
};

const ALL = COLUMNS.map(({ id }) => id);

function Page({
  first,
  hasMore = false,
  isReading = false,
  columns = ALL,
  isDense = false,
}: Shown & { first: ExecutionOut[] }) {
  const [rows, setRows] = useState(first);
  const [selected, setSelected] = useState<RowSelectionState>({});
  update = (next) => act(() => setRows(next));
  return (
    <ExecutionRows
      rows={rows}
      selected={selected}
      allMatching={false}
      onSelect={setSelected}
      hasMore={hasMore}
      isReading={isReading}
      onMore={onMore}
      onShown={() => undefined}
      onAtTop={() => undefined}
      columns={columns}
      isDense={isDense}
    />
  );
}

function show(rows: ExecutionOut[], shown: Shown = {}) {
  happyDOM.setViewport({ width: shown.width ?? WIDE });
  return renderAt("/executions", [
    { path: "/executions", element: <Page first={rows} {...shown} /> },
    { path: "/executions/:id", element: <p>its page</p> },
  ]);
}

/** Executions by the ends of their ids, newest first. */
function execution(id: string, row: Partial<ExecutionOut> = {}): ExecutionOut {
  return createExecutionRow({ execution_id: `execution-${id.padStart(8, "0")}`, ...row });
}

const done = { status: "completed", completed_at: at(30_000) } as const;
const rowOf = (id: string) => {
  const row = document.querySelector<HTMLElement>(`[data-execution="execution-${id.padStart(8, "0")}"]`);
  if (row === null) throw new Error(`no row of ${id}`);
  return row;
};
const ids = () =>
  [...document.querySelectorAll<HTMLElement>("[data-execution]")].map((row) => row.dataset.execution?.at(-1));
const isSelected = (id: string) => within(rowOf(id)).getByRole<HTMLInputElement>("checkbox").checked;
const select = (id: string) => fireEvent.click(within(rowOf(id)).getByRole("checkbox"));
const cell = (id: string, column: string) => rowOf(id).querySelector(`[data-column=${column}]`)?.textContent;

const failed = execution("2", {
  status: "failed",
  completed_at: at(30_000),
  pipeline_name: "Shop",
  pipeline_version: 3,
  total_steps: 4,
  completed_steps: 1,
  failed_steps: 1,
  trigger: "cli",
  error_type: "CardDeclined",
  error_message: "no funds\nand no credit",
  failed_step: "charge",
  cause: "CardDeclined: no funds\nand no credit",
});

it("a row of the table has status, pipeline, version, start, duration, steps, trigger, the cause and then the step", () => {
  show([failed]);
  const ids = ["status", "pipeline", "started", "duration", "progress", "trigger", "error"];
  expect(ids.map((column) => cell("2", column))).toEqual([
    "Failed",
    "Shopv3 · 00000002",
    "1 min ago",
    "30 s",
    "2",
    "CLI",
    "CardDeclined: no fundscharge",
  ]);
  expect(within(rowOf("2")).getByRole("img", { name: "2 steps ran, 1 failed" })).toBeTruthy();
});

it("has the columns that are wanted, and what it is of and how it stands always; dense rows are lower", () => {
  show([failed], { columns: ["worker", "error"], isDense: true });
  const shown = [...rowOf("2").querySelectorAll<HTMLElement>("td")].map((each) => each.dataset.column);
  expect(shown).toEqual(["select", "status", "pipeline", "worker", "error"]);
  expect(cell("2", "worker")).toBe("worker");
  expect(screen.getByRole("table").dataset.dense).toBe("true");
});

it("where there is little room, each is a card with the same facts", () => {
  show([failed], { width: NARROW });
  expect(screen.queryByRole("table")).toBeNull();
  const card = screen.getByRole("listitem");
  for (const fact of ["Failed", "Shop", "v3", "1 min ago", "30 s", "CLI", "2 steps", "CardDeclined: no fundscharge"]) {
    expect(card.textContent).toContain(fact);
  }
});

it("the duration of what runs goes on by the clock, and stands still once it has ended", () => {
  show([execution("2"), execution("1", done)]);
  expect([cell("2", "duration"), cell("1", "duration")]).toEqual(["1 min 30 s", "30 s"]);
  act(() => vi.advanceTimersByTime(5000));
  expect([cell("2", "duration"), cell("1", "duration")]).toEqual(["1 min 35 s", "30 s"]);
  update([execution("2", { status: "completed", completed_at: at(96_000) }), execution("1", done)]);
  act(() => vi.advanceTimersByTime(60_000));
  expect(cell("2", "duration")).toBe("1 min 36 s");
});

it("what has not started shows since when it is queued, and no duration", () => {
  show([execution("1", { status: "pending", started_at: null })]);
  expect([cell("1", "started"), cell("1", "duration")]).toEqual(["queued 1 min ago", "–"]);
});

it("selected rows stay selected and the focus stays in its row when others come and change", () => {
  show([execution("2"), execution("1")]);
  select("1");
  within(rowOf("1")).getByRole("link").focus();
  update([execution("3"), execution("2", done), execution("1", { ...done, sequence: 9 })]);
  expect(ids()).toEqual(["3", "2", "1"]);
  expect(["3", "2", "1"].map(isSelected)).toEqual([false, false, true]);
  expect(rowOf("1").contains(document.activeElement)).toBe(true);
  expect(cell("1", "status")).toBe("Completed");
});

it("one box selects all that are loaded, and none again", () => {
  show([execution("2"), execution("1")]);
  const all = screen.getByRole("checkbox", { name: "Select all rows that are loaded" });
  fireEvent.click(all);
  expect(["2", "1"].map(isSelected)).toEqual([true, true]);
  fireEvent.click(all);
  expect(["2", "1"].map(isSelected)).toEqual([false, false]);
});

it("keys walk the rows, from the row that has the focus also after new ones came, and select it", () => {
  show([execution("2"), execution("1")]);
  const press = (key: string) => fireEvent.keyDown(document.activeElement ?? document.body, { key });
  press("j");
  press("j");
  expect(rowOf("1").contains(document.activeElement)).toBe(true);
  update([execution("3"), execution("2"), execution("1")]);
  press("k");
  expect(rowOf("2").contains(document.activeElement)).toBe(true);
  press("x");
  expect(["3", "2", "1"].map(isSelected)).toEqual([false, true, false]);
});

it("a row leads to its execution, its box does not", () => {
  const { router } = show([execution("1")]);
  select("1");
  expect(router.state.location.pathname).toBe("/executions");
  fireEvent.click(rowOf("1"));
  expect(router.state.location.pathname).toBe("/executions/execution-00000001");
});

it.each([
  ["near the end of what is loaded, more is read", 20, { hasMore: true }, 1],
  ["not while it is being read", 20, { hasMore: true, isReading: true }, 0],
  ["not where there is no more", 20, {}, 0],
  ["not far from the end", 200, { hasMore: true }, 0],
])("%s", (_, count, shown: Shown, times) => {
  show(
    Array.from({ length: count }, (_, index) => execution(String(count - index))),
    shown,
  );
  expect(onMore).toHaveBeenCalledTimes(times);
  expect(ids().length).toBeLessThan(60); // the others are not in the document
});

it.each([WIDE, NARROW])("says at %d px until when one waits, and of a question only that it waits", (width) => {
  show(
    [
      execution("3", { status: "waiting", started_at: null, run_at: at(100_000) }),
      execution("2", { status: "waiting", run_at: at(40 * 86_400_000) }),
      execution("1", { status: "waiting_for_human", run_at: at(100_000) }),
    ],
    { width },
  );
  const until = screen.getAllByText(/^until /);
  expect(until.map((each) => each.getAttribute("datetime"))).toEqual([at(100_000), at(40 * 86_400_000)]);
});

it.each([WIDE, NARROW])("a copy has a badge that says what it is, at %d", (width) => {
  const copy = { imported_at: at(0), rows_sha256: "0123456789abcdef" };
  show([execution("3", { ...copy, went_on: true }), execution("2", { ...copy, went_on: false }), execution("1")], {
    width,
  });
  const badges = screen.getAllByRole("img", { name: /SHA-256 of its rows 0123456789ab…$/ });
  expect(badges.map((badge) => [badge.textContent, badge.getAttribute("aria-label")?.split(":")[0]])).toEqual([
    ["Copy", "Copy of a run that went on elsewhere"],
    ["Copy", "Came from a run file"],
  ]);
});
