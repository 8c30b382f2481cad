/** Times and durations that tick by themselves, all from one clock, so that a page moves as one. While the server is away
 * it stands still: nobody knows how long what is shown goes on. */
import { Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { awayAsOf, onAway } from "@/api/away";
import { secondsAt, type Times, timesText } from "@/domain/durations";
import { agoText, durationText, exactText, secondsBetween } from "@/domain/time";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: number | undefined;
let forget = () => {};

function tick(): void {
  now = awayAsOf() ?? Date.now();
  for (const each of listeners) each();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = awayAsOf() ?? Date.now();
    timer = window.setInterval(tick, 500);
    forget = onAway(tick);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      window.clearInterval(timer);
      forget();
      timer = undefined;
    }
  };
}

const never = () => () => {};

/** Milliseconds now, twice a second; stands still while `ticking` is false, and while the server is away. */
export function useNow(ticking = true): number {
  return useSyncExternalStore(ticking ? subscribe : never, () => now);
}

export function Ago({ at }: { at: string }) {
  const text = agoText(at, useNow());
  return (
    <Tooltip label={exactText(at)} openDelay={200}>
      <time dateTime={at} className="numbers">
        {text}
      </time>
    </Tooltip>
  );
}

/** From start to end, or until now while there is no end. */
export function Duration({ start, end }: { start: string | null; end: string | null }) {
  const nowMs = useNow(start !== null && end === null);
  if (start === null) return <span className="quiet">–</span>;
  return <span className="numbers">{durationText(secondsBetween(start, end, nowMs))}</span>;
}

/** The run time of a step or an attempt, ticking while it runs; its name, and what it waited for, on hover. */
export function RunTime({ times }: { times: Times }) {
  const now = useNow(times.open.length > 0);
  if (!times.begun) return <span className="quiet">–</span>;
  return (
    <span className="numbers" title={capital(timesText(times, now))}>
      {durationText(secondsAt(times, now).runSeconds)}
    </span>
  );
}

/** What a step or an attempt waited for: its place in the queue, a retry, a person. */
export function WaitingTime({ times }: { times: Times }) {
  const now = useNow(times.open.length > 0);
  return <span className="numbers">{durationText(secondsAt(times, now).waitingSeconds)}</span>;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
