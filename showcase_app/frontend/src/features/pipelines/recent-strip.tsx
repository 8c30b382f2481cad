/** The last executions of a pipeline as bars: colour says how each ended, height how long it took. */
import { Tooltip } from "@mantine/core";
import { type CSSProperties, type KeyboardEvent, useRef, useState } from "react";
import { Link } from "react-router";
import type { RecentExecutionOut } from "@/api/schema.gen";
import { useExactText, useNow, useTimes } from "@/components/ui/moments";
import { hasEnded, statusFill, statusWord } from "@/domain/status";
import { barHeights } from "@/domain/strip";
import { durationText, secondsBetween, shownText, type TimeStyle } from "@/domain/time";
import classes from "./pipelines.module.css";

const LENGTH = 30;

/** One stop for the Tab key; the arrow keys go from bar to bar. */
export function RecentStrip({ recent, of }: { recent: readonly RecentExecutionOut[]; of: string }) {
  const list = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const [stop, setStop] = useState(recent.length - 1);
  const times = useTimes();
  const now = useNow(recent.some((execution) => !hasEnded(execution.status)));
  const heights = barHeights(recent, now);
  const shown = pointed === null ? undefined : recent[pointed];

  const move = (event: KeyboardEvent) => {
    const to = { ArrowLeft: stop - 1, ArrowRight: stop + 1, Home: 0, End: recent.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    list.current?.querySelectorAll("a")[Math.max(0, Math.min(recent.length - 1, to))]?.focus();
  };

  if (recent.length === 0) {
    return (
      <div className={classes.strip}>
        <span className="quiet" style={{ fontSize: 12, margin: "auto" }}>
          It has not run yet
        </span>
      </div>
    );
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of links in one stop of the Tab key has no element of its own
    <div
      ref={list}
      className={classes.strip}
      role="group"
      aria-label={`Last executions of ${of}, oldest first`}
      onKeyDown={move}
      onPointerLeave={() => setPointed(null)}
    >
      {recent.map((execution, place) => (
        <Link
          key={execution.execution_id}
          to={`/executions/${execution.execution_id}`}
          className={classes.bar}
          data-status={execution.status}
          data-active={!hasEnded(execution.status)}
          aria-label={sentence(execution, times, now)}
          tabIndex={place === Math.min(stop, recent.length - 1) ? 0 : -1}
          onPointerEnter={() => setPointed(place)}
          onFocus={() => {
            setStop(place);
            setPointed(place);
          }}
          onBlur={() => setPointed(null)}
        >
          <span
            style={
              {
                "--bar-color": statusFill(execution.status),
                height: `${(heights[place] ?? 1) * 100}%`,
              } as CSSProperties
            }
          />
        </Link>
      ))}
      {shown === undefined || pointed === null ? null : (
        <Tooltip key={pointed} opened label={<Details execution={shown} now={now} />}>
          <span className={classes.tip} style={{ left: tipAt(list.current, pointed) }} />
        </Tooltip>
      )}
    </div>
  );
}

function tipAt(list: HTMLDivElement | null, place: number): number {
  const bar = list?.querySelectorAll("a")[place];
  return bar === undefined ? (place / LENGTH) * 100 : bar.offsetLeft + bar.offsetWidth / 2;
}

function Details({ execution, now }: { execution: RecentExecutionOut; now: number }) {
  const exactText = useExactText();
  return (
    <>
      <strong>{statusWord(execution.status)}</strong> · {tookText(execution, now)}
      <br />
      {exactText(execution.created_at)}
    </>
  );
}

function sentence(execution: RecentExecutionOut, times: TimeStyle, now: number): string {
  return `${statusWord(execution.status)}, ${shownText(execution.created_at, times, now)}, ${tookText(execution, now)}`;
}

function tookText({ duration_seconds, started_at, completed_at }: RecentExecutionOut, now: number): string {
  if (duration_seconds !== null) return durationText(duration_seconds);
  return started_at === null ? "not started" : durationText(secondsBetween(started_at, completed_at, now));
}
