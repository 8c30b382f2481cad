/** The socket of all executions: it names those that changed, and lists read again what they show of them. */
import { type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import { type Hint, type ListFrame, type LiveState, openLive } from "./live";
import { type Paced, paced } from "./paced";

/** Calls back with what has changed; null: more than can be named, and once after each connection. */
export function useLiveList(onHints: (hints: readonly Hint[] | null) => void): LiveState {
  const [state, setState] = useState<LiveState>("connecting");
  const notify = useEffectEvent(onHints);
  useEffect(
    () =>
      openLive<ListFrame>({
        path: () => "/ws/executions",
        onFrame: (frame) => {
          if (frame.type === "hints") notify(frame.items);
          else if (frame.type === "resync") notify(null);
          return "live";
        },
        onState: setState,
      }),
    [],
  );
  return state;
}

/** Reads queries again when executions have changed, at most once in `everyMs`. The keys may be beginnings of keys. */
export function useInvalidatedByExecutions(keys: readonly QueryKey[], everyMs = 1000): LiveState {
  const client = useQueryClient();
  const ask = usePaced(() => Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey }))), everyMs);
  return useLiveList(ask);
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
