/** The socket of all executions: it names those that changed, and lists read again what they show of them. */
import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import { type Hint, type ListFrame, type LiveState, openLive } from "./live";
import { type Paced, paced } from "./paced";

type Follower = { onHints: (hints: readonly Hint[] | null) => void; onState: (state: LiveState) => void };

/** One socket for all that follow in this tab, open while anything does. */
const followers = new Set<Follower>();
let close: (() => void) | null = null;
let state: LiveState = "connecting";

function follow(follower: Follower): () => void {
  followers.add(follower);
  if (close === null || state === "closed") {
    close?.();
    close = openList();
  } else {
    follower.onState(state);
    if (state === "live") follower.onHints(null); // the others have had the first frame
  }
  return () => {
    followers.delete(follower);
    if (followers.size > 0) return;
    close?.();
    close = null;
  };
}

function openList(): () => void {
  const notify = (hints: readonly Hint[] | null) => {
    for (const each of followers) each.onHints(hints);
  };
  return openLive<ListFrame>({
    path: () => "/ws/executions",
    onFrame: (frame) => {
      if (frame.type === "hints") notify(frame.items);
      else if (frame.type === "resync") notify(null);
      return "live";
    },
    onState: (now) => {
      state = now;
      for (const each of followers) each.onState(now);
    },
  });
}

/** Calls back with what has changed; null: more than can be named, and once after each connection. */
export function useLiveList(onHints: (hints: readonly Hint[] | null) => void): LiveState {
  const [state, setState] = useState<LiveState>("connecting");
  const notify = useEffectEvent(onHints);
  useEffect(() => follow({ onHints: (hints) => notify(hints), onState: setState }), []);
  return state;
}

/**
 * Reads queries again when executions have changed, at most once in `everyMs`. The keys may be beginnings of keys.
 * `only`: the ids of the executions that count; all where it is left out.
 */
export function useInvalidatedByExecutions(
  keys: readonly QueryKey[],
  everyMs = 1000,
  only?: readonly string[],
): LiveState {
  const client = useQueryClient();
  const ask = usePaced(() => Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey }))), everyMs);
  return useLiveList((hints) => {
    if (only === undefined || hints === null || hints.some(({ execution_id }) => only.includes(execution_id))) ask();
  });
}

/** Reads a query again when one execution has changed; without an id, when any has. */
export function useInvalidatedByExecution(executionId: string | undefined, queryKey: QueryKey): LiveState {
  const client = useQueryClient();
  const ask = usePaced(() => client.invalidateQueries({ queryKey }), 500);
  return useLiveList((hints) => {
    const isNews = hints === null || executionId === undefined;
    if (isNews || hints.some(({ execution_id }) => execution_id === executionId)) ask();
  });
}

/** `paced` for as long as the component is there; runs the newest function given. */
export function usePaced(run: () => Promise<unknown>, everyMs: number): () => void {
  const newest = useEffectEvent(run);
  const task = useRef<Paced | null>(null);
  useEffect(() => {
    const mine = paced(() => newest(), everyMs);
    task.current = mine;
    return mine.stop;
  }, [everyMs]);
  return useCallback(() => task.current?.ask(), []);
}
