/** The list that is shown: pages as one scrolls, each read again when the socket says that it is old. */
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { executionKeys, executionsQuery, readExecutions } from "@/api/executions";
import type { Hint, LiveState } from "@/api/live";
import { useLiveList, usePaced } from "@/api/live-list";
import type { ListedFilters, ListSort } from "@/domain/execution-filters";
import { type ExecutionList, oldPages, pageOf, withPageRead } from "@/domain/execution-list";

const ROWS_EVERY_MS = 500;
const COUNTS_EVERY_MS = 2000;
const RETRY_MS = 3000;
const WINDOW_MOVES_MS = 60_000;
const NONE_HELD = { count: 0, more: false };
const ROOM_FOR_NEW = 50;

/**
 * `filters` stay the same object while they say the same. `admitNew`: new executions go on top by themselves; else they
 * are counted in `held` until they may.
 */
export function useExecutionList(filters: ListedFilters, { admitNew, sort }: { admitNew: boolean; sort: ListSort }) {
  const client = useQueryClient();
  const options = executionsQuery(filters, sort);
  const { queryKey } = options;
  // The socket says when to read again, and what: all pages at once would be many.
  const query = useInfiniteQuery({
    ...options,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const old = useRef(new Set<number>());
  const shown = useRef<{ first: string; last: string } | null>(null);
  const [held, setHeld] = useState(NONE_HELD);
  const [isBehind, setBehind] = useState(false);

  const readOne = async (index: number, list: ExecutionList): Promise<boolean> => {
    const isReading = () => client.getQueryState(queryKey)?.fetchStatus === "fetching"; // its pages would be overwritten
    if (isReading()) return false;
    const limit = (list.pages[index]?.items.length ?? 0) + ROOM_FOR_NEW;
    const answer = await readExecutions(filters, list.pageParams[index] ?? null, { limit });
    const known = client.getQueryData<ExecutionList>(queryKey);
    if (known === undefined || isReading()) return false;
    const after = withPageRead(known, index, answer, { admit: admitNew });
    client.setQueryData(queryKey, after.list);
    if (index === 0) setHeld(after.held > 0 || after.more ? { count: after.held, more: after.more } : NONE_HELD);
    return true;
  };

  const readAgain: () => void = usePaced(async () => {
    const list = client.getQueryData<ExecutionList>(queryKey);
    if (list === undefined) return;
    const isShown = (index: number) =>
      shown.current !== null && pageOf(list, shown.current.first) <= index && index <= pageOf(list, shown.current.last);
    let failed = false;
    if (sort === "cost" && (old.current.size > 0 || list.pages.length > 0)) {
      old.current.clear(); // a row may have moved to any page
      await client.invalidateQueries({ queryKey });
      return;
    }
    for (const index of [...old.current]) {
      if (index >= list.pages.length) old.current.delete(index);
      else if (index === 0 || isShown(index)) {
        old.current.delete(index);
        const done = await readOne(index, list).catch(() => null);
        if (done !== true) old.current.add(index);
        if (done === false) readAgain();
        failed ||= done === null;
      }
    }
    if (failed) window.setTimeout(readAgain, RETRY_MS);
    setBehind(failed);
  }, ROWS_EVERY_MS);

  const countAgain = usePaced(
    () => client.invalidateQueries({ queryKey: executionKeys.counts({}).slice(0, 2) }),
    COUNTS_EVERY_MS,
  );

  const allOld = useCallback(() => {
    const list = client.getQueryData<ExecutionList>(executionKeys.list(filters, sort));
    old.current = new Set(list?.pages.keys());
    if (list !== undefined) readAgain();
  }, [client, filters, sort, readAgain]);

  const live = useLiveList((hints: readonly Hint[] | null) => {
    const list = client.getQueryData<ExecutionList>(queryKey);
    if (hints === null) allOld();
    else if (list !== undefined) for (const page of oldPages(list, hints)) old.current.add(page);
    if (list === undefined) old.current.add(0); // being read, perhaps from before this
    readAgain();
    countAgain();
  });

  useEffect(() => {
    setHeld(NONE_HELD);
    allOld();
  }, [allOld]);

  useEffect(() => {
    if (filters.window === undefined) return;
    const timer = window.setInterval(() => {
      allOld();
      countAgain();
    }, WINDOW_MOVES_MS);
    return () => window.clearInterval(timer);
  }, [filters.window, allOld, countAgain]);

  useEffect(() => {
    if (!admitNew || held === NONE_HELD) return;
    old.current.add(0);
    readAgain();
  }, [admitNew, held, readAgain]);

  const onShown = useCallback(
    (first: string, last: string) => {
      shown.current = { first, last };
      if (old.current.size > 0) readAgain();
    },
    [readAgain],
  );

  const pages = query.data?.pages;
  const rows = useMemo(() => pages?.flatMap((page) => page.items), [pages]);
  const state: LiveState = live === "live" && isBehind ? "catching_up" : live;
  const [top] = pages ?? [];
  const reach = { searched: top?.searched ?? null, lookedBackTo: top?.looked_back_to ?? null };
  return { query, rows, ...reach, held, live: state, onShown };
}
