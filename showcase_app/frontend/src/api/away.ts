/** Whether the server can be reached: whatever speaks with it reports here, and while it is away one loop looks for it. */
import { useSyncExternalStore } from "react";
import { ROOT } from "./root";

/** Why an action that needs the server is off. */
export const WHY_AWAY = "The server cannot be reached. It is looked for, and this comes back by itself.";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;
const PATIENCE_MS = 5_000;

let heardAt = Date.now();
/** As of when what is shown is true; null: the server is there. */
let asOf: number | null = null;
let isLooking = false;
let lookAgain: () => void = () => undefined;
const listeners = new Set<() => void>();

/** The server has answered, or sent something by itself. */
export function heard(): void {
  heardAt = Date.now();
  setAsOf(null);
}

/** It may be gone: a request got no answer, or a socket was lost. It is away once it does not answer here either. */
export function suspected(): void {
  if (!isLooking) void look();
}

/** Look for it now, and not when the next time has come. */
export function lookNow(): void {
  lookAgain();
}

/** While it is away: what is shown now is from an earlier moment than its last word, or from that again. */
export function showAsOf(milliseconds: number): void {
  if (asOf !== null) setAsOf(milliseconds);
}

/** Null: the server is there. */
export function awayAsOf(): number | null {
  return asOf;
}

/** When the server was heard last. */
export function lastHeard(): number {
  return heardAt;
}

export function onAway(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** As of when what is shown is true, in milliseconds; null: the server is there, so it is true now. */
export function useAwayAsOf(): number | null {
  return useSyncExternalStore(onAway, awayAsOf);
}

/** For the tooltip of an action that needs the server; null: it is there. */
export function useWhyAway(): string | null {
  return useAwayAsOf() === null ? null : WHY_AWAY;
}

function setAsOf(next: number | null): void {
  if (asOf === next) return;
  asOf = next;
  for (const each of listeners) each();
}

async function look(): Promise<void> {
  isLooking = true;
  window.addEventListener("online", lookNow);
  document.addEventListener("visibilitychange", lookNow);
  for (let failures = 0; !(await answers()); failures += 1) {
    if (asOf === null) setAsOf(heardAt);
    await pause(Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS));
  }
  window.removeEventListener("online", lookNow);
  document.removeEventListener("visibilitychange", lookNow);
  isLooking = false;
  heard();
}

/** Open to everybody, and answered by a server whose database is away too. */
async function answers(): Promise<boolean> {
  try {
    const health = { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) } as const;
    return (await window.fetch(`${ROOT}/health`, health)).ok;
  } catch {
    return false;
  }
}

/** The upper half is left to chance, so that many pages do not come back at once. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, milliseconds / 2 + (Math.random() * milliseconds) / 2);
    lookAgain = () => {
      window.clearTimeout(timer);
      resolve();
    };
  });
}
