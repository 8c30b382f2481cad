/** How the items of a map stand: squares in the order of its list, shares of a ring, and words. Pure. */
import type { ItemGridOut, StepStatus } from "@/api/schema.gen";
import { statusWord } from "./status";

/** Some neighbours, most often one. `status`: the worst among them; null: one has not begun, and no other stands worse. */
export type Square = { first: number; last: number; status: StepStatus | null; text: string };

export function squaresOf({ squares, statuses, items, per_square }: ItemGridOut): Square[] {
  return [...squares].map((letter, place) => {
    const first = place * per_square + 1;
    const last = Math.min(first + per_square - 1, items);
    const status = statuses[Number(letter)] ?? null;
    return { first, last, status, text: squareText(first, last, status) };
  });
}

/** In words: `17: Failed`. */
function squareText(first: number, last: number, status: StepStatus | null): string {
  const standing = status === null ? "Not begun" : statusWord(status);
  if (first === last) return `${numberText(first)}: ${standing}`;
  return `${numberText(first)} to ${numberText(last)}, at worst: ${standing}`;
}

/** As they are read: what is done, what went wrong, what goes on, what is to come. */
const ORDER: readonly StepStatus[] = [
  ...(["completed", "skipped", "failed", "lost"] as const),
  ...(["cancelled", "running", "waiting", "pending"] as const),
];

type Counts = Pick<ItemGridOut, "items" | "by_status">;

function countsOf({ by_status }: Counts): [StepStatus, number][] {
  return ORDER.flatMap((status): [StepStatus, number][] => {
    const count = by_status[status] ?? 0;
    return count === 0 ? [] : [[status, count]];
  });
}

export function notBegun(grid: Counts): number {
  return countsOf(grid).reduce((rest, [, count]) => rest - count, grid.items);
}

const SHORT = [
  ["completed", "done"],
  ["failed", "failed"],
  ["waiting", "waiting"],
] as const;

/** What matters most of them: `58 done · 2 failed`. Empty while none has begun. */
export function itemsText(grid: Counts): string {
  if (notBegun(grid) === grid.items) return "";
  return SHORT.map(([status, word]) => ({ word, count: grid.by_status[status] ?? 0 }))
    .filter(({ word, count }) => count > 0 || word === "done")
    .map(({ word, count }) => `${numberText(count)} ${word}`)
    .join(" · ");
}

/** All of them, for screen readers and where there is room: `60 items: 58 completed, 2 failed`. */
export function itemsSentence(grid: Counts): string {
  const rest = notBegun(grid);
  const counts = [
    ...countsOf(grid).map(([status, count]) => `${numberText(count)} ${statusWord(status).toLowerCase()}`),
    ...(rest === 0 ? [] : [`${numberText(rest)} not begun`]),
  ];
  const items = grid.items === 1 ? "1 item" : `${numberText(grid.items)} items`;
  return counts.length === 0 ? items : `${items}: ${counts.join(", ")}`;
}

/** A part of a ring, from 0 to 1. */
export type Share = { status: StepStatus; from: number; share: number };

const LEAST_SHARE = 0.04; // one that failed is seen among 100,000

/** The parts of a ring; what is left of it has not begun. */
export function sharesOf(grid: Counts): Share[] {
  const rest = notBegun(grid);
  const sizes = [...countsOf(grid).map(([, count]) => count), ...(rest === 0 ? [] : [rest])].map((count) =>
    Math.max(count / grid.items, LEAST_SHARE),
  );
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  let from = 0;
  return countsOf(grid).map(([status], place) => {
    const share = (sizes[place] ?? 0) / whole;
    const part = { status, from, share };
    from += share;
    return part;
  });
}

/** Where a key leads among squares in rows; null: nowhere. */
export function movedBy(key: string, place: number, count: number, columns: number): number | null {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    Home: -place,
    End: count - 1 - place,
  };
  const step = steps[key];
  if (step === undefined) return null;
  const next = place + step;
  return next < 0 || next >= count ? place : next;
}

const NUMBERS = new Intl.NumberFormat("en");

export function numberText(number: number): string {
  return NUMBERS.format(number);
}
