/** Which run within a step is looked at, kept in the address: `?step=think&in=2..search` is the second `search`. */
import { useCallback, useMemo, useRef } from "react";
import { useSearchParams } from "react-router";
import { type Place, placesOf, placeWord } from "@/domain/inner-runs";

export type InnerRuns = {
  /** From the graph's run inwards; empty: that run itself is looked at. */
  places: readonly Place[];
  /** Look at the run with the first so many places in front of it; null: at the last of these. */
  open: (depth: number, run: Omit<Place, "within"> | null, tab?: string) => void;
  /** Whether the reader has moved, so that the focus has to follow; true once for each move. */
  hasMoved: () => boolean;
};

/** `path`: of the graph's run that is chosen; null: none is. */
export function useInnerRuns(path: string | null): InnerRuns {
  const [params, setParams] = useSearchParams();
  const words = params.getAll("in").join("\0");
  const places = useMemo(() => (path === null || words === "" ? [] : placesOf(path, words.split("\0"))), [path, words]);
  const moved = useRef(false);
  const open = useCallback<InnerRuns["open"]>(
    (depth, run, tab) => {
      moved.current = tab === undefined;
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          const kept = [...before.getAll("in").slice(0, depth), ...(run === null ? [] : [placeWord(run)])];
          after.delete("in");
          for (const word of kept) after.append("in", word);
          if (tab !== undefined) after.set("tab", tab);
          else after.delete("tab");
          after.delete("line");
          return after;
        },
        { replace: true, preventScrollReset: true, flushSync: true },
      );
    },
    [setParams],
  );
  const hasMoved = useCallback(() => {
    const was = moved.current;
    moved.current = false;
    return was;
  }, []);
  return useMemo(() => ({ places, open, hasMoved }), [places, open, hasMoved]);
}
