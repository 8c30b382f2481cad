/** One execution, kept current by its socket: nothing is missed, nothing is taken in twice. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { applyChanges, linesOf } from "@/domain/changes";
import { type HeardLines, NO_LINES, withHeard } from "@/domain/log-lines";
import { executionKeys, executionQuery } from "./executions";
import { type ExecutionFrame, type LiveState, openLive } from "./live";
import type { ExecutionDetail } from "./schema.gen";

const CURSOR_AHEAD = 4400; // the server knows less than this page: its database is another one than before

export type LiveExecution = {
  state: LiveState;
  /** What was logged since the page was opened. */
  heard: HeardLines;
};

/** Follows the execution as soon as `loaded` says that its detail has been read. */
export function useLiveExecution(executionId: string, loaded: boolean): LiveExecution {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [heard, setHeard] = useState<HeardLines>(NO_LINES);
  const refusals = useRef(0); // one after the other, each of a cursor that had just been read

  useEffect(() => {
    setHeard(NO_LINES);
    if (!loaded) return;
    const queryKey = executionKeys.detail(executionId);
    const known = () => client.getQueryData<ExecutionDetail>(queryKey);
    return openLive<ExecutionFrame>({
      path: () => `/ws/executions/${encodeURIComponent(executionId)}?after=${known()?.sequence ?? 0}`,
      onFrame: (frame) => {
        if (frame.type === "resync") return "catching_up";
        if (frame.type === "ping") return "live"; // it comes when there is nothing else
        refusals.current = 0;
        const execution = known();
        if (execution === undefined) return undefined;
        client.setQueryData(queryKey, applyChanges(execution, frame));
        const lines = linesOf(frame);
        if (lines.length > 0) setHeard((heard) => withHeard(heard, lines));
        return frame.more ? "catching_up" : "live";
      },
      onState: setState,
      onRefused: (code) => {
        if (code !== CURSOR_AHEAD) return;
        refusals.current += 1;
        void client.resetQueries({ queryKey: executionQuery(executionId).queryKey });
      },
      failures: refusals.current,
    });
  }, [client, executionId, loaded]);
  return { state, heard };
}
