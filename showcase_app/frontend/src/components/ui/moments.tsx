/** Times and durations as the reader wants them. What ticks does so from one clock, so that a page moves as one; while the
 * server is away it stands still: nobody knows how long what is shown goes on. */
import { Tooltip } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { createContext, type ReactNode, useContext, useMemo, useSyncExternalStore } from "react";
import { awayAsOf, onAway } from "@/api/away";
import { secondsAt, type Times, timesText } from "@/domain/durations";
import {
  agoText,
  durationText,
  exactText,
  momentText,
  type ShownTimes,
  secondsBetween,
  shownText,
  shownTimes,
  type TimeStyle,
  UTC,
} from "@/domain/time";
import classes from "./moments.module.css";

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

/** The reader's own zone. */
export const OWN_ZONE: string = Intl.DateTimeFormat().resolvedOptions().timeZone ?? UTC;

type Choice = TimeStyle & { show: (shown: ShownTimes) => void };

const ChoiceContext = createContext<Choice>({ shown: "relative", zone: OWN_ZONE, show: () => undefined });

/** Around the pages: how the reader wants times, kept by the browser. */
export function TimesProvider({ children }: { children: ReactNode }) {
  const [kept, show] = useLocalStorage<string>({
    key: "ia-modules-times",
    defaultValue: "relative",
    getInitialValueInEffect: false,
    serialize: (word) => word,
    deserialize: (word) => word ?? "relative",
  });
  const shown = shownTimes(kept);
  const choice = useMemo(() => ({ shown, zone: shown === "utc" ? UTC : OWN_ZONE, show }), [shown, show]);
  return <ChoiceContext value={choice}>{children}</ChoiceContext>;
}

export function useTimes(): Choice {
  return useContext(ChoiceContext);
}

type MomentProps = {
  /** ISO text. */
  at: string;
  /** Other words than how long ago, or which moment, it is. */
  text?: string;
  /** Inside of a link or a button, which have the focus themselves. */
  isInside?: boolean;
};

/** A time as the reader wants it. All of it comes up under the pointer, at the focus and by a tap. */
export function Moment({ at, text, isInside = false }: MomentProps) {
  const times = useTimes();
  const nowMs = useNow(text === undefined && times.shown === "relative");
  const words = (
    <time dateTime={at} className="numbers">
      {text ?? shownText(at, times, nowMs)}
    </time>
  );
  return (
    <Tooltip label={<Exact at={at} />} openDelay={200} events={{ hover: true, focus: true, touch: true }}>
      {isInside ? (
        words
      ) : (
        <button type="button" className={classes.moment}>
          {words}
        </button>
      )}
    </Tooltip>
  );
}

/** All of a moment: in the reader's zone, in UTC, and how long ago. */
function Exact({ at }: { at: string }) {
  return (
    <span className={`numbers ${classes.exact}`}>
      <span>{agoText(at, useNow(), OWN_ZONE)}</span>
      {OWN_ZONE === UTC ? null : (
        <span>
          {momentText(at, OWN_ZONE, "millisecond")} {OWN_ZONE}
        </span>
      )}
      <span>{momentText(at, UTC, "millisecond")}</span>
    </span>
  );
}

/** The same as a text, for what cannot hold an element. */
export function useExactText(): (at: string) => string {
  const { zone } = useTimes();
  return (at) => exactText(at, zone);
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
