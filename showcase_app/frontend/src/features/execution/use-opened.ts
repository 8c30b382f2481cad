/** Which form is open over the page, kept in its address: `?do=rerun`. */
import { useCallback } from "react";
import { useSearchParams } from "react-router";

export type Form = "resume" | "rerun" | "rerun-step" | "run-file";
type Opened = { isOpen: boolean; open: () => void; close: () => void };

export function useOpened(form: Form): Opened {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (opened: boolean) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (opened) after.set("do", form);
          else after.delete("do");
          return after;
        },
        { replace: true, preventScrollReset: true },
      ),
    [setParams, form],
  );
  return { isOpen: params.get("do") === form, open: () => set(true), close: () => set(false) };
}
