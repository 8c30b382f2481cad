/** The items of a map as squares, in the order of its list: how each stands, and a way into it. */
import { Skeleton, Text } from "@mantine/core";
import { type KeyboardEvent, type MouseEvent, memo, useEffect, useId, useMemo, useRef, useState } from "react";
import { type MapRow, useItemGrid } from "@/api/item-grid";
import type { StepOut, StepStatus } from "@/api/schema.gen";
import { itemsSentence, movedBy, numberText, type Square, squaresOf } from "@/domain/item-grid";
import { statusFill } from "@/domain/status";
import classes from "./item-squares.module.css";

type ItemSquaresProps = {
  row: MapRow;
  /** Of others the squares are faded; null: of none. */
  status: StepStatus | null;
  /** What was found by its key, and is marked; null: nothing is looked for. */
  found: readonly Pick<StepOut, "iteration">[] | null;
  /** The item that was looked at before, which gets the focus; null: none was. */
  left: number | null;
  onOpen: (item: number) => void;
  /** Called with the first of the items that share a square. */
  onGoTo: (item: number) => void;
};

export function ItemSquares({ row, status, found, left, onOpen, onGoTo }: ItemSquaresProps) {
  const grid = useItemGrid(row);
  const squares = useMemo(() => (grid === undefined ? [] : squaresOf(grid)), [grid]);
  if (grid === undefined) return <Skeleton height={60} mb={8} role="status" aria-label="The items are being counted" />;
  if (grid.items === 0) return null;
  const { per_square } = grid;
  const placeOf = (item: number) => Math.ceil(item / per_square) - 1;
  return (
    <>
      <Squares
        squares={squares}
        label={`Items of the list${per_square === 1 ? "" : `, ${numberText(per_square)} in a square`}`}
        status={per_square === 1 ? status : null} // what is hidden by a worse one is not known
        found={new Set(found?.map(({ iteration }) => placeOf(iteration)))}
        left={left === null ? null : placeOf(left)}
        onChoose={({ first, last }) => (first === last ? onOpen : onGoTo)(first)}
      />
      <Text size="xs" className="quiet" mb={8}>
        {itemsSentence(grid)}
        {per_square === 1 ? "." : `. A square is ${numberText(per_square)} of them, and shows the worst.`}
      </Text>
    </>
  );
}

type SquaresProps = {
  squares: readonly Square[];
  label: string;
  status: StepStatus | null;
  found: ReadonlySet<number>;
  left: number | null;
  onChoose: (square: Square) => void;
};

/** One stop of the tabulator: the arrow keys go from square to square. */
function Squares({ squares, label, status, found, left, onChoose }: SquaresProps) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(left ?? 0);
  const goal = useRef(left);
  useEffect(() => {
    if (goal.current === null) return;
    list.current?.focus();
    list.current?.children[goal.current]?.scrollIntoView({ block: "nearest" });
    goal.current = null;
  }, []);
  const choose = (place: number) => {
    const square = squares[place];
    if (square !== undefined && square.status !== null) onChoose(square);
  };
  const onClick = (event: MouseEvent) => {
    const place = Number((event.target as HTMLElement).dataset.place ?? Number.NaN);
    if (Number.isNaN(place)) return;
    setActive(place);
    choose(place);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = movedBy(event.key, active, squares.length, columnsOf(list.current));
    if (next !== null) {
      setActive(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" || event.key === " ") choose(active);
    else return;
    event.preventDefault();
  };
  return (
    <div
      ref={list}
      role="listbox"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={`${id}-${active}`}
      className={classes.squares}
      data-many={squares.length > 400 || undefined}
      onClick={onClick}
      onKeyDown={onKeyDown}
    >
      {squares.map((square, place) => (
        <Cell
          key={square.first}
          id={`${id}-${place}`}
          place={place}
          text={square.text}
          status={square.status}
          isActive={place === active}
          isFaded={status !== null && status !== square.status}
          isFound={found.has(place)}
        />
      ))}
    </div>
  );
}

type CellProps = {
  id: string;
  place: number;
  text: string;
  status: StepStatus | null;
  isActive: boolean;
  isFaded: boolean;
  isFound: boolean;
};

const Cell = memo(function Cell({ id, place, text, status, isActive, isFaded, isFound }: CellProps) {
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and says which one is active
    <div
      id={id}
      role="option"
      aria-selected={isActive}
      aria-disabled={status === null}
      aria-label={text}
      title={text}
      className={classes.square}
      data-place={place}
      data-status={status ?? "ahead"}
      data-faded={isFaded || undefined}
      data-found={isFound || undefined}
      style={status === null ? undefined : { color: statusFill(status) }}
    />
  );
});

/** How many stand in a row. */
function columnsOf(list: HTMLElement | null): number {
  return list === null ? 1 : window.getComputedStyle(list).gridTemplateColumns.split(" ").length;
}
