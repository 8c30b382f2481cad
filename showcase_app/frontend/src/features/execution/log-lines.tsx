/** The list of log lines, of which only those in view are drawn. */
import { ActionIcon } from "@mantine/core";
import { IconChevronRight } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import type { LogOut } from "@/api/schema.gen";
import { useTimes } from "@/components/ui/moments";
import { stringifyJson } from "@/domain/json";
import { type Goal, isGap, placeOf } from "@/domain/log-lines";
import { clockText, dateText, exactText, momentText } from "@/domain/time";
import classes from "./log-view.module.css";

const ROW_HEIGHT = 24;
const NEAR_END_PIXELS = 240;

type LinesProps = {
  lines: readonly LogOut[];
  /** The name of the step of each attempt; null: all are of one. */
  names: ReadonlyMap<string, string> | null;
  wrap: boolean;
  follow: boolean;
  onFollow: (follow: boolean) => void;
  /** The line that the address leads to. */
  current: string | null;
  addressOf: (logId: string) => string;
  /** Where to scroll to; null: nowhere. */
  goal: Goal | null;
  /** Whether there are no more pages. */
  allRead: boolean;
  /** It is there; null: there is no such line. */
  onReached: (goal: Goal, line: LogOut | null) => void;
  /** Read the next page; null: there is none, or it is being read. */
  more: (() => void) | null;
};

export function LogLines({ lines, names, wrap, follow, onFollow, current, addressOf, goal, ...rest }: LinesProps) {
  const { allRead, onReached, more } = rest;
  const frame = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => lines[index]?.log_id ?? index,
    overscan: 20,
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  const place = goal === null ? null : placeOf(goal, lines, allRead);
  useEffect(() => {
    if (more !== null && (follow || place === "unread" || lastShown >= lines.length - 50)) more();
  }, [more, follow, place, lastShown, lines.length]);
  useEffect(() => {
    if (goal === null || place === "unread") return;
    if (place !== null) virtual.scrollToIndex(place, { align: goal.to === "end" ? "end" : "center" });
    onReached(goal, place === null ? null : (lines[place] ?? null));
  }, [virtual, goal, place, lines, onReached]);
  useEffect(() => {
    if (follow && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [virtual, follow, lines.length]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: with it, every line has another height
  useEffect(() => virtual.measure(), [virtual, wrap]);

  const { zone } = useTimes();
  const [from, to] = [lines[0], lines.at(-1)].map((end) => end && dateText(end.logged_at, zone));

  const toggle = (id: string) =>
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  const onScroll = () => {
    const box = frame.current;
    if (box !== null && follow && box.scrollHeight - box.scrollTop - box.clientHeight > NEAR_END_PIXELS)
      onFollow(false);
  };

  return (
    <div
      ref={frame}
      className={classes.lines}
      data-wrap={wrap || undefined}
      style={{ ["--digits" as string]: String(lines.length).length }}
      role="log"
      aria-label="Log lines"
      aria-live="off"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
      tabIndex={0}
      onScroll={onScroll}
      onWheel={(event) => {
        if (event.deltaY < 0) onFollow(false);
      }}
      onKeyDown={(event) => {
        if (["ArrowUp", "PageUp", "Home"].includes(event.key)) onFollow(false);
        if (event.key === "End") onFollow(true);
      }}
    >
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {items.map((item) => {
          const line = lines[item.index];
          if (line === undefined) return null;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              data-level={line.level}
              data-gap={isGap(line) || undefined}
              data-current={line.log_id === current || undefined}
              className={classes.line}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <Link
                className={classes.number}
                to={addressOf(line.log_id)}
                replace
                preventScrollReset
                aria-label={`Link to line ${item.index + 1}`}
                aria-current={line.log_id === current ? "true" : undefined}
              >
                {item.index + 1}
              </Link>
              <Line
                line={line}
                isBeyondADay={from !== to}
                step={names === null ? null : (names.get(line.step_execution_id ?? "") ?? "")}
                isOpen={open.has(line.log_id)}
                onToggle={() => toggle(line.log_id)}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

type LineProps = { line: LogOut; isBeyondADay: boolean; step: string | null; isOpen: boolean; onToggle: () => void };

function Line({ line, isBeyondADay, step, isOpen, onToggle }: LineProps) {
  const { zone } = useTimes();
  const hasData = !isGap(line) && (line.data !== null || line.data_omitted);
  return (
    <>
      {hasData ? (
        <ActionIcon
          size={18}
          variant="subtle"
          color="gray"
          aria-label="Data of this line"
          aria-expanded={isOpen}
          onClick={onToggle}
        >
          <IconChevronRight size={13} aria-hidden className={classes.chevron} data-open={isOpen || undefined} />
        </ActionIcon>
      ) : (
        <span className={classes.noData} />
      )}
      <time dateTime={line.logged_at} title={exactText(line.logged_at, zone)}>
        {isBeyondADay ? momentText(line.logged_at, zone, "millisecond") : clockText(line.logged_at, zone)}
      </time>
      <span className={classes.level}>{isGap(line) ? "" : line.level}</span>
      <span className={classes.message}>
        {step === null ? null : <span className={classes.step}>{step}</span>}
        {line.logger === null || isGap(line) ? null : <span className={classes.logger}>{line.logger}</span>}
        {line.message}
        {isOpen ? (
          <pre className={classes.data}>
            {line.data_omitted ? "Its data is larger than 64 KiB and only in the export." : stringifyJson(line.data, 2)}
          </pre>
        ) : null}
      </span>
    </>
  );
}
