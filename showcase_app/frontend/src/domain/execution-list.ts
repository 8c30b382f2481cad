/** A long list of executions, newest first, kept current by reading single pages of it again.
 *
 * Page i holds the ids below `pageParams[i]` (null: all) down to its own `next_cursor` (null: all), which is where the
 * next page begins. It keeps these bounds however often it is read, so nothing is shown twice or falls between two pages.
 */
import type { ExecutionOut, ExecutionPageOut } from "@/api/schema.gen";

export type ExecutionList = { pages: ExecutionPageOut[]; pageParams: (string | null)[] };

type Hint = { execution_id: string; sequence: number };

const LONGEST_PAGE = 200; // the first page grows while its reader stays at the top

/** Which page an id belongs to; -1 for one further down than what has been read. */
export function pageOf({ pages, pageParams }: ExecutionList, id: string): number {
  const end = pages.at(-1)?.next_cursor ?? null;
  if (end !== null && id < end) return -1;
  return pageParams.findLastIndex((above) => above === null || id < above);
}

/** The pages that hints say are old: each that holds an older row, or where a row may be missing. */
export function oldPages(list: ExecutionList, hints: readonly Hint[]): Set<number> {
  const known = new Map(list.pages.flatMap((page) => page.items).map((row) => [row.execution_id, row.sequence]));
  const old = new Set<number>();
  for (const { execution_id, sequence } of hints) {
    const page = pageOf(list, execution_id);
    if (page >= 0 && (known.get(execution_id) ?? -1) < sequence) old.add(page);
  }
  return old;
}

/**
 * The list after one page was read again: its rows changed in place, came or went.
 *
 * `admit` false keeps what is newer than everything shown out, for readers who have scrolled down; `held` says how many
 * there are (`more`: at least). The list starts anew with the answer where so many are let in that it does not reach the
 * rows shown, or that the first page has become long.
 */
export function withPageRead(
  list: ExecutionList,
  index: number,
  answer: ExecutionPageOut,
  { admit }: { admit: boolean },
): { list: ExecutionList; held: number; more: boolean } {
  const known = list.pages[index];
  if (known === undefined) return { list, held: 0, more: false };
  const lower = known.next_cursor;
  const newest = list.pages.find((page) => page.items.length > 0)?.items[0]?.execution_id ?? null;
  const isNew = ({ execution_id }: ExecutionOut) => index === 0 && newest !== null && execution_id > newest;
  const reaches = answer.next_cursor === null || newest === null || answer.items.some((row) => !isNew(row));
  const grown = index === 0 && known.items.length > LONGEST_PAGE;
  if (admit && (grown || !reaches)) return { list: { pages: [answer], pageParams: [null] }, held: 0, more: false };

  const held = admit ? 0 : answer.items.filter(isNew).length;
  if (!reaches) return { list, held, more: true };
  const read = answer.items.filter((row) => (lower === null || row.execution_id >= lower) && (admit || !isNew(row)));
  // The answer is as long as a page: with new rows on top, it ends above the last rows that this page holds.
  const reached = answer.next_cursor;
  const below = reached === null ? [] : known.items.filter((row) => row.execution_id < reached);
  const page = { ...answer, items: [...read, ...below], next_cursor: lower };
  return { list: { ...list, pages: list.pages.with(index, page) }, held, more: false };
}
