/** What of the log lines is looked at, kept in the address: `?q=refused&level=warning&line=0199…&wide=logs`. */
import { useCallback } from "react";
import { useSearchParams } from "react-router";
import { LEVELS, type Severity } from "@/domain/log-lines";

export type LogParams = {
  q: string;
  level: Severity;
  /** The line that the address leads to; null: none. */
  line: string | null;
  wide: boolean;
  /** null takes it out of the address. */
  set: (name: "q" | "level" | "line" | "wide", value: string | null) => void;
  /** The address of this view that leads to a line. */
  addressOf: (logId: string) => string;
};

export function useLogParams(): LogParams {
  const [params, setParams] = useSearchParams();
  const set = useCallback<LogParams["set"]>(
    (name, value) => setParams((before) => changed(before, name, value), { replace: true, preventScrollReset: true }),
    [setParams],
  );
  return {
    q: params.get("q") ?? "",
    level: LEVELS.find((each) => each === params.get("level")) ?? "debug",
    line: params.get("line"),
    wide: params.get("wide") === "logs",
    set,
    addressOf: (logId) => `?${changed(params, "line", logId)}`,
  };
}

function changed(before: URLSearchParams, name: string, value: string | null): URLSearchParams {
  const after = new URLSearchParams(before);
  if (value === null || value === "") after.delete(name);
  else after.set(name, value);
  return after;
}
