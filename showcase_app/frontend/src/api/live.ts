/** The one live client: a socket that connects again by itself, from its last sequence, and reports its state. */
import type { Changes } from "@/domain/changes";
import { awayAsOf, heard, onAway, suspected } from "./away";
import { ROOT } from "./root";
import { readRows } from "./rows";

/** `catching_up`: connected, and what was missed may still be coming in. `closed`: the server wants no further try. */
export type LiveState = "connecting" | "live" | "catching_up" | "reconnecting" | "closed";

export type ExecutionFrame = ({ type: "changes" } & Changes) | { type: "ping" } | { type: "resync"; after: number };

export type Hint = { execution_id: string; sequence: number; status: string };
export type ListFrame = { type: "hints"; items: Hint[] } | { type: "resync" } | { type: "ping" };

const SILENCE_MS = 45_000; // the server says something every 20 seconds
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
const FINAL_CODES: readonly number[] = [4401, 4403, 4404];

/** Milliseconds before the next try: exponential backoff, with the upper half left to chance. `draw` is in [0, 1). */
export function pauseMs(failures: number, draw: number): number {
  const limit = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 16));
  return limit / 2 + (draw * limit) / 2;
}

type Options<Frame> = {
  /** The path to open; called before each try, so that it can carry the last sequence. */
  path: () => string;
  /** Take in a frame; returns how the connection stands after it (nothing: as before). */
  onFrame: (frame: Frame) => LiveState | undefined;
  onState: (state: LiveState) => void;
  /** The server closed with a code of its own (4400 to 4499). */
  onRefused?: (code: number) => void;
  /** How often it has failed before: not to begin at once where beginning anew is how it fails. */
  failures?: number;
};

/** Keep a socket open until the returned function is called. */
export function openLive<Frame>({ path, onFrame, onState, onRefused, ...options }: Options<Frame>): () => void {
  let socket: WebSocket | null = null;
  let failures = options.failures ?? 0;
  let timer: number | undefined;
  let ended = false;

  const wait = (milliseconds: number, then: () => void) => {
    window.clearTimeout(timer);
    timer = window.setTimeout(then, milliseconds);
  };

  const connect = () => {
    if (ended) return;
    const opened = new WebSocket(`${window.location.origin.replace(/^http/, "ws")}${ROOT}${path()}`);
    socket = opened;
    wait(SILENCE_MS, () => opened.close());
    opened.onopen = () => {
      if (!ended && socket === opened) onState("catching_up"); // the first frame says whether there is more
    };
    opened.onmessage = (event: MessageEvent<string>) => {
      if (ended || socket !== opened) return;
      heard();
      failures = 0;
      wait(SILENCE_MS, () => opened.close());
      const state = onFrame(readRows(event.data) as Frame);
      if (state !== undefined) onState(state);
    };
    opened.onclose = (event) => {
      if (ended || socket !== opened) return;
      socket = null;
      if (event.code >= 4400 && event.code < 4500) onRefused?.(event.code);
      if (ended) return; // by onRefused
      if (FINAL_CODES.includes(event.code)) {
        window.clearTimeout(timer);
        onState("closed");
        return;
      }
      suspected();
      onState("reconnecting");
      wait(pauseMs(failures, Math.random()), connect);
      failures += 1;
    };
  };

  const atOnce = () => {
    if (ended || socket !== null || document.hidden) return;
    failures = 0;
    wait(0, connect);
  };

  onState(failures === 0 ? "connecting" : "reconnecting");
  if (failures === 0) connect();
  else wait(pauseMs(failures, Math.random()), connect);
  const forget = onAway(() => {
    if (awayAsOf() === null) atOnce();
  });
  window.addEventListener("online", atOnce);
  document.addEventListener("visibilitychange", atOnce);
  return () => {
    ended = true;
    window.clearTimeout(timer);
    forget();
    window.removeEventListener("online", atOnce);
    document.removeEventListener("visibilitychange", atOnce);
    socket?.close();
  };
}
