/** The rows: a table where there is room, else cards; only those in view are in the document. For its keys see Shortcuts. */
import { Checkbox } from "@mantine/core";
import { useHotkeys, useMediaQuery } from "@mantine/hooks";
import {
  createColumnHelper,
  type Row,
  type RowSelectionState,
  rowSelectionFeature,
  tableFeatures,
  type Updater,
  useTable,
} from "@tanstack/react-table";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import type { ExecutionOut } from "@/api/schema.gen";
import { CopyBadge } from "@/components/ui/copy-badge";
import { Duration, useTimes } from "@/components/ui/moments";
import { sortOf } from "@/domain/execution-filters";
import type { ColumnId } from "@/domain/list-view";
import { hasUsage, tokensText } from "@/domain/usage";
import { Cost, CostHeading, ErrorLine, Standing, Started, Steps, Trigger } from "./execution-cells";
import classes from "./executions.module.css";

const ROW_PX = 44;
const DENSE_ROW_PX = 30;
const CARD_PX = 108;
const CARD_WITH_ERROR_PX = 154; // its cause has two lines
const HEADER_PX = 52; // the bar at the top of every page
const HEADINGS_PX = 36;
const OVERSCAN = 12;
const AHEAD = 15; // rows before the end at which the next page is read

const features = tableFeatures({ rowSelectionFeature });
const helper = createColumnHelper<typeof features, ExecutionOut>();

const everyColumn = helper.columns([
  helper.display({
    id: "select",
    header: ({ table }) => (
      <Checkbox
        size="xs"
        aria-label="Select all rows that are loaded"
        checked={table.getIsAllRowsSelected()}
        indeterminate={table.getIsSomeRowsSelected() && !table.getIsAllRowsSelected()}
        onChange={table.getToggleAllRowsSelectedHandler()}
      />
    ),
    cell: ({ row }) => <SelectBox row={row} />,
  }),
  helper.display({
    id: "status",
    header: "Status",
    cell: ({ row }) => <Standing execution={row.original} />,
  }),
  helper.display({ id: "pipeline", header: "Pipeline", cell: ({ row }) => <Name execution={row.original} /> }),
  helper.display({ id: "started", header: "Started", cell: ({ row }) => <Started execution={row.original} /> }),
  helper.display({
    id: "duration",
    header: "Duration",
    cell: ({ row }) => <Duration start={row.original.started_at} end={row.original.completed_at} />,
  }),
  helper.display({ id: "progress", header: "Steps", cell: ({ row }) => <Steps execution={row.original} /> }),
  helper.display({ id: "worker", header: "Worker", cell: ({ row }) => row.original.owner }),
  helper.display({ id: "alias", header: "Caller's id", cell: ({ row }) => row.original.alias }),
  helper.display({ id: "trigger", header: "Trigger", cell: ({ row }) => <Trigger execution={row.original} /> }),
  helper.display({
    id: "tokens",
    header: "Tokens",
    cell: ({ row }) => (hasUsage(row.original) ? tokensText(row.original) : null),
  }),
  helper.display({ id: "cost", header: () => <CostHeading />, cell: ({ row }) => <Cost execution={row.original} /> }),
  helper.display({ id: "error", header: "Error", cell: ({ row }) => <ErrorLine execution={row.original} /> }),
]);

const ALWAYS = ["select", "status", "pipeline"];

type ExecutionRow = Row<typeof features, ExecutionOut>;

type Props = {
  rows: ExecutionOut[];
  selected: RowSelectionState;
  allMatching: boolean;
  onSelect: (selected: RowSelectionState) => void;
  hasMore: boolean;
  isReading: boolean;
  onMore: () => void;
  onShown: (first: string, last: string) => void;
  onAtTop: (isAtTop: boolean) => void;
  /** Beside status and pipeline. */
  columns: readonly ColumnId[];
  isDense: boolean;
};

export function ExecutionRows({
  rows,
  selected,
  allMatching,
  onSelect,
  hasMore,
  isReading,
  onMore,
  onShown,
  onAtTop,
  columns,
  isDense,
}: Props) {
  const times = useTimes();
  const sort = sortOf(useSearchParams()[0]);
  const isWide = useMediaQuery("(min-width: 75em)", undefined, { getInitialValueInEffect: false });
  const shownColumns = useMemo(() => {
    const shown = [...ALWAYS, ...columns];
    return everyColumn.filter(({ id }) => id !== undefined && shown.includes(id));
  }, [columns]);
  const rowPx = isDense ? DENSE_ROW_PX : ROW_PX;
  const table = useTable({
    features,
    columns: shownColumns,
    data: rows,
    getRowId: (row) => row.execution_id,
    state: { rowSelection: selected },
    onRowSelectionChange: (change: Updater<RowSelectionState>) =>
      onSelect(typeof change === "function" ? change(selected) : change),
  });
  const listed = table.getRowModel().rows;

  const place = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (place.current !== null) setTop(Math.round(place.current.getBoundingClientRect().top + window.scrollY));
  });
  const rowsTop = top + (isWide ? HEADINGS_PX : 0);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: useCallback((index: number) => (isWide ? rowPx : cardPx(rows[index])), [isWide, rowPx, rows]),
    getItemKey: useCallback((index: number) => rows[index]?.execution_id ?? index, [rows]),
    overscan: OVERSCAN,
    scrollMargin: rowsTop,
    scrollPaddingStart: HEADER_PX + (isWide ? HEADINGS_PX : 8),
    scrollPaddingEnd: 72, // the bar of what is selected
  });
  useEffect(() => {
    if (rowPx > 0) virtual.measure(); // what it knows are the heights of before
  }, [rowPx, virtual]);
  const items = virtual.getVirtualItems();
  const [firstItem, lastItem] = [items[0], items.at(-1)];
  const first = firstItem === undefined ? undefined : rows[firstItem.index]?.execution_id;
  const last = lastItem === undefined ? undefined : rows[lastItem.index]?.execution_id;

  useEffect(() => {
    if (first !== undefined && last !== undefined) onShown(first, last);
  }, [first, last, onShown]);

  const isAtTop = (virtual.scrollOffset ?? 0) <= Math.max(0, top - HEADER_PX);
  useEffect(() => onAtTop(isAtTop), [isAtTop, onAtTop]);

  const isNearEnd = (lastItem?.index ?? 0) >= rows.length - AHEAD;
  useEffect(() => {
    if (isNearEnd && hasMore && !isReading) onMore();
  }, [isNearEnd, hasMore, isReading, onMore]);

  const active = useRef<string | null>(null);
  const go = (steps: number) => {
    const at = rows.findIndex((row) => row.execution_id === active.current);
    const next = at < 0 ? (virtual.range?.startIndex ?? 0) : Math.min(rows.length - 1, Math.max(0, at + steps));
    const row = rows[next];
    if (row === undefined) return;
    active.current = row.execution_id;
    virtual.scrollToIndex(next, { align: "auto" });
    focusRow(row.execution_id);
  };
  // Single letters do something only in the list, or where nothing else has the focus.
  const isMeant = () => {
    const focused = document.activeElement;
    return focused === null || focused.matches("body, h1") || (place.current?.contains(focused) ?? false);
  };
  useHotkeys([
    ["j", () => isMeant() && go(1)],
    ["k", () => isMeant() && go(-1)],
    ["x", () => isMeant() && listed.find((row) => row.id === active.current)?.toggleSelected()],
  ]);

  const shown = items.flatMap((item) => listed[item.index] ?? []);
  const above = firstItem === undefined ? 0 : firstItem.start - rowsTop;
  // Before the window is known there are no items: the list is as high as it will be, so that Back can scroll to its place.
  const below = virtual.getTotalSize() - (lastItem === undefined ? 0 : lastItem.end - rowsTop);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the links in it have the focus; this only moves it
    <div
      ref={place}
      onFocus={(event) => {
        active.current = event.target.closest("[data-execution]")?.getAttribute("data-execution") ?? active.current;
      }}
      onKeyDown={(event) => {
        if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
        event.preventDefault();
        go(event.key === "ArrowDown" ? 1 : -1);
      }}
    >
      {isWide ? (
        <table
          className={`panel ${classes.table}`}
          data-dense={isDense || undefined}
          data-times={times.shown === "relative" ? undefined : "moments"}
          aria-rowcount={hasMore ? -1 : rows.length + 1}
        >
          <thead>
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id} aria-rowindex={1}>
                {group.headers.map((header) => (
                  <th
                    key={header.id}
                    scope="col"
                    data-column={header.column.id}
                    aria-sort={header.column.id === "cost" && sort === "cost" ? "descending" : undefined}
                  >
                    <table.FlexRender header={header} />
                  </th>
                ))}
              </tr>
            ))}
          </thead>
          <tbody>
            <Gap height={above} columns={shownColumns.length} />
            {shown.map((row) => (
              <TableRow key={row.id} row={row} isSelected={allMatching || row.getIsSelected()}>
                {row.getAllCells().map((cell) => (
                  <td key={cell.id} data-column={cell.column.id}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
              </TableRow>
            ))}
            <Gap height={below} columns={shownColumns.length} />
          </tbody>
        </table>
      ) : (
        <ul className={classes.cards} style={{ paddingTop: above, paddingBottom: below }}>
          {shown.map((row) => (
            <Card key={row.id} row={row} isSelected={allMatching || row.getIsSelected()} />
          ))}
        </ul>
      )}
    </div>
  );
}

function cardPx(execution: ExecutionOut | undefined): number {
  return execution !== undefined && execution.cause !== null ? CARD_WITH_ERROR_PX : CARD_PX;
}

/** The link of a row, once it is in the document. */
function focusRow(executionId: string, triesLeft = 10) {
  const link = document.querySelector<HTMLElement>(`[data-execution="${CSS.escape(executionId)}"] a`);
  if (link !== null) link.focus({ preventScroll: true });
  else if (triesLeft > 0) requestAnimationFrame(() => focusRow(executionId, triesLeft - 1));
}

function Gap({ height, columns }: { height: number; columns: number }) {
  return height <= 0 ? null : (
    <tr aria-hidden className={classes.gap}>
      <td colSpan={columns} style={{ height }} />
    </tr>
  );
}

/** The link of the row covers it; what lies above the link (tooltips) leads there too. */
function useOpensOnClick(executionId: string) {
  const navigate = useNavigate();
  return (event: MouseEvent<HTMLElement>) => {
    if (event.target instanceof Element && event.target.closest("a, button, input, label") !== null) return;
    if (event.metaKey || event.ctrlKey) window.open(`/executions/${executionId}`, "_blank", "noopener");
    else navigate(`/executions/${executionId}`);
  };
}

function TableRow({
  row,
  isSelected,
  children,
}: {
  row: ExecutionRow;
  isSelected: boolean;
  children: React.ReactNode;
}) {
  return (
    <tr
      className={classes.row}
      data-execution={row.id}
      data-selected={isSelected || undefined}
      aria-rowindex={row.index + 2}
      onClick={useOpensOnClick(row.id)}
    >
      {children}
    </tr>
  );
}

function Card({ row, isSelected }: { row: ExecutionRow; isSelected: boolean }) {
  const execution = row.original;
  const times = useTimes();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: by keyboard one uses the link in it
    <li
      className={`panel ${classes.card}`}
      data-times={times.shown === "relative" ? undefined : "moments"}
      data-execution={row.id}
      data-selected={isSelected || undefined}
      style={{ height: cardPx(execution) - 8 }}
      onClick={useOpensOnClick(row.id)}
    >
      <div className={classes.cardLine}>
        <Standing execution={execution} />
        <SelectBox row={row} />
      </div>
      <Name execution={execution} />
      <ErrorLine execution={execution} />
      <div className={classes.cardLine}>
        <span>
          <Started execution={execution} /> <span className="quiet">·</span>{" "}
          <Duration start={execution.started_at} end={execution.completed_at} />{" "}
          <span className="quiet">
            · <Trigger execution={execution} />
            {hasUsage(execution) ? " · " : null}
            <Cost execution={execution} />
          </span>
        </span>
        <Steps execution={execution} unit />
      </div>
    </li>
  );
}

function Name({ execution }: { execution: ExecutionOut }) {
  return (
    <span className={classes.name}>
      <Link to={`/executions/${execution.execution_id}`} className={classes.link}>
        {execution.pipeline_name}
      </Link>
      <span className={`quiet ${classes.beside}`}>
        {execution.pipeline_version === null ? null : `v${execution.pipeline_version} · `}
        <span className="mono" title={execution.execution_id}>
          {execution.execution_id.slice(-8)}
        </span>
      </span>
      <CopyBadge execution={execution} isShort />
    </span>
  );
}

function SelectBox({ row }: { row: ExecutionRow }) {
  return (
    <Checkbox
      size="xs"
      className={classes.above}
      aria-label={`Select ${row.original.pipeline_name} ${row.id.slice(-8)}`}
      checked={row.getIsSelected()}
      onChange={row.getToggleSelectedHandler()}
    />
  );
}
