/** When each attempt was queued, ran, waited: bars on a time axis, to zoom into and to choose from. */
import { ActionIcon, Group, Text, Title, Tooltip } from "@mantine/core";
import { useElementSize, useMergedRef } from "@mantine/hooks";
import { IconMinus, IconPlus, IconZoomReset } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, memo, useEffect, useId, useMemo, useRef, useState } from "react";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
import { CopiedMark } from "@/components/ui/copied-mark";
import { RunTime, useNow, useTimes } from "@/components/ui/moments";
import { StatusIcon } from "@/components/ui/status-badge";
import { type SegmentKind, type Times, timesByStep } from "@/domain/durations";
import { COPIED } from "@/domain/graph";
import { hasEnded, statusFill, statusWord } from "@/domain/status";
import { durationText } from "@/domain/time";
import {
  type Bar,
  barsOf,
  barsShown,
  isBeyondADay,
  isWhole,
  momentTicksOf,
  moved,
  type Row,
  rowsOf,
  type ShownLevel,
  type Tick,
  ticksOf,
  type View,
  wholeOf,
  withLevel,
  zoomed,
} from "@/domain/timeline";
import classes from "./timeline.module.css";
import { useTimelinePointer } from "./timeline-pointer";

const ROW_HEIGHT = 28;
const MOST_HEIGHT = 420;
const PIXELS_PER_TICK = 84;
const PIXELS_PER_MOMENT = 118;
const ZOOM = 0.6;
const MOST_INNER_ROWS = 12;

const SEGMENT_WORDS: Readonly<Record<SegmentKind, string>> = {
  queued: "Queued",
  running: "Running",
  waiting: "Waiting for a person",
  retry_delay: "Delay before a retry",
};
const SEGMENT_KINDS = Object.keys(SEGMENT_WORDS) as SegmentKind[];

type TimelineProps = {
  execution: ExecutionDetail;
  selected: StepDetail | null;
  onSelect: (stepId: string, attempt: StepDetail) => void;
  /** What is within the run that is looked at. */
  level: ShownLevel | null;
};

export function Timeline({ execution, selected, onSelect, level }: TimelineProps) {
  const now = useNow(!hasEnded(execution.status));
  const bars = useMemo(() => barsOf(execution.steps, execution.interactions, now), [execution, now]);
  const rows = useMemo(() => {
    const own = rowsOf(bars);
    return level === null ? own : withLevel(own, level, now, MOST_INNER_ROWS);
  }, [bars, level, now]);
  const times = useMemo(
    () => timesByStep(execution.steps, execution.interactions),
    [execution.steps, execution.interactions],
  );
  const whole = useMemo(() => wholeOf(bars, execution.started_at, now), [bars, execution.started_at, now]);
  const [closer, setCloser] = useState<View | null>(null); // null: all of it, also when it grows
  const view = closer ?? whole;
  const show = (next: View | null) => setCloser(next === null || isWhole(next, whole) ? null : next);

  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>();
  const [axis, setAxis] = useState<HTMLDivElement | null>(null);
  const axisRef = useMergedRef(sizeRef, setAxis);
  const ticks = useTicks(view, whole, width);
  const pointer = useTimelinePointer({ axis, view, whole, show });
  const steps = useMemo(
    () => new Map(execution.steps.map((step) => [step.step_execution_id, step])),
    [execution.steps],
  );
  const choose = (id: string | null | undefined) => {
    const step = id == null ? undefined : steps.get(id);
    if (step !== undefined) onSelect(step.step_id, step);
    else if (id != null) level?.choose(id);
  };
  const zoom = (factor: number) => show(zoomed(view, whole, (view.from + view.to) / 2, factor));
  const legend = useMemo(() => legendOf(rows.flatMap((row) => row.bars)), [rows]);

  return (
    <section className={`panel ${classes.timeline}`} aria-label="Timeline">
      <Group gap="xs" className={classes.head}>
        <Title order={2} size="h3">
          Timeline
        </Title>
        <Group gap={10}>
          {legend.map(({ word, kind, color }) => (
            <Group key={word} gap={5} wrap="nowrap">
              <span className={classes.swatch} data-kind={kind} style={{ color }} />
              <Text size="xs" className="quiet">
                {word}
              </Text>
            </Group>
          ))}
        </Group>
        <Group gap={2} ml="auto" wrap="nowrap">
          <Control label="Zoom out" icon={IconMinus} onClick={() => zoom(1 / ZOOM)} disabled={closer === null} />
          <Control label="Zoom in" icon={IconPlus} onClick={() => zoom(ZOOM)} disabled={bars.length === 0} />
          <Control label="Show all of it" icon={IconZoomReset} onClick={() => show(null)} disabled={closer === null} />
        </Group>
      </Group>
      {bars.length === 0 ? (
        <Text size="sm" className="quiet" p="sm">
          {hasEnded(execution.status) ? "No step began." : "No step has begun yet."}
        </Text>
      ) : (
        <div ref={pointer.ref} className={classes.area}>
          <div className={classes.axis} title="The wheel zooms here; dragging below chooses a range">
            <div ref={axisRef} className={classes.ticks}>
              {ticks.map((tick) => (
                <span key={tick.at} className={classes.tick} style={{ left: percent(tick.at, view) }}>
                  {tick.text}
                </span>
              ))}
            </div>
            <span className={classes.timesHead}>Run time</span>
          </div>
          <Rows
            rows={rows}
            times={times}
            view={view}
            ticks={ticks}
            width={width}
            selected={selected}
            selectedId={level?.chosen ?? selected?.step_execution_id ?? null}
            choose={choose}
            wasDrag={pointer.wasDrag}
            onKey={(key) => {
              if (key === "+" || key === "=") zoom(ZOOM);
              else if (key === "-") zoom(1 / ZOOM);
              else if (key === "0") show(null);
              else if (key === "<") show(moved(view, whole, (view.from - view.to) / 4));
              else if (key === ">") show(moved(view, whole, (view.to - view.from) / 4));
              else return false;
              return true;
            }}
          />
          {pointer.range === null ? null : (
            <div className={classes.range} style={{ left: pointer.range.left, width: pointer.range.width }} />
          )}
        </div>
      )}
    </section>
  );
}

/** How long after its beginning; moments instead where the reader wants them, or where it went on for days. */
function useTicks(view: View, whole: View, width: number): Tick[] {
  const { shown, zone } = useTimes();
  const most = (pixels: number) => Math.max(2, Math.floor(width / pixels));
  return shown === "relative" && !isBeyondADay(whole)
    ? ticksOf(view, whole.from, most(PIXELS_PER_TICK))
    : momentTicksOf(view, most(PIXELS_PER_MOMENT), zone);
}

type RowsProps = {
  rows: readonly Row[];
  /** Of all attempts of a step, by its id. */
  times: ReadonlyMap<string, Times>;
  view: View;
  ticks: readonly Tick[];
  width: number;
  selected: StepDetail | null;
  selectedId: string | null;
  choose: (id: string | null | undefined) => void;
  wasDrag: () => boolean;
  /** A key that moves the view; false: it does not. */
  onKey: (key: string) => boolean;
};

function Rows({ rows, times, view, ticks, width, selected, selectedId, choose, wasDrag, onKey }: RowsProps) {
  const frame = useRef<HTMLDivElement>(null);
  const base = useId();
  const [hovered, setHovered] = useState<Bar | null>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
  });
  const selectedRow = useMemo(
    () => rows.findIndex((row) => row.bars.some((bar) => bar.id === selectedId)),
    [rows, selectedId],
  );
  useEffect(() => {
    if (selectedId !== null && selectedRow >= 0) virtual.scrollToIndex(selectedRow);
  }, [virtual, selectedId, selectedRow]);

  const barOf = (target: EventTarget) => {
    const id = target instanceof Element ? target.closest("[data-bar]")?.getAttribute("data-bar") : null;
    return id ?? null;
  };
  const onClick = (event: MouseEvent) => {
    if (!wasDrag()) choose(barOf(event.target));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = targetOf(event.key, rows, selectedRow, selectedId);
    if (next !== undefined) choose(next);
    else if (!onKey(event.key)) return;
    event.preventDefault();
  };

  return (
    <Tooltip.Floating label={hovered === null ? "" : <BarWords bar={hovered} />} disabled={hovered === null}>
      <div
        ref={frame}
        className={classes.rows}
        style={{ height: Math.min(MOST_HEIGHT, rows.length * ROW_HEIGHT + 6) }}
        role="listbox"
        aria-label="Attempts. Up and down choose a step, left and right an attempt; plus and minus zoom, 0 shows all."
        aria-activedescendant={selectedId === null ? undefined : base + selectedId}
        tabIndex={0}
        onClick={onClick}
        onKeyDown={onKeyDown}
        onPointerOver={(event) => {
          const id = barOf(event.target);
          setHovered(id === null ? null : (rows.flatMap((row) => row.bars).find((bar) => bar.id === id) ?? null));
        }}
        onPointerLeave={() => setHovered(null)}
      >
        <div className={classes.inner} style={{ height: virtual.getTotalSize() }} role="none">
          {ticks.map((tick) => (
            <div
              key={tick.at}
              className={classes.line}
              style={{ left: `calc(var(--name) + (100% - var(--name) - var(--seconds)) * ${shareOf(tick.at, view)})` }}
            />
          ))}
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return row === undefined ? null : (
              <TimelineRow
                key={row.key}
                row={row}
                times={times.get(row.stepId)}
                top={item.start}
                base={base}
                view={view}
                width={width}
                selectedId={item.index === selectedRow ? selectedId : null}
                isOfStep={row.stepId === selected?.step_id}
              />
            );
          })}
        </div>
      </div>
    </Tooltip.Floating>
  );
}

type TimelineRowProps = {
  row: Row;
  times: Times | undefined;
  top: number;
  base: string;
  view: View;
  width: number;
  selectedId: string | null;
  isOfStep: boolean;
};

const TimelineRow = memo(function TimelineRow(shown: TimelineRowProps) {
  const { row, times, top, base, view, width, selectedId, isOfStep } = shown;
  const last = row.bars.at(-1);
  return (
    <div
      className={classes.row}
      style={{ transform: `translateY(${top}px)` }}
      data-selected={isOfStep || undefined}
      data-inner={row.isInner}
      role="none"
    >
      <div className={classes.name} data-bar={last?.id} aria-hidden>
        {last === undefined || !row.isFirst ? null : (
          <>
            <StatusIcon status={last.status} size={13} />
            <span className={classes.nameText} title={row.name}>
              {row.name}
            </span>
            {last.copied ? <CopiedMark /> : null}
            {row.bars.length > 1 && !row.isInner ? <span className={classes.count}>×{row.bars.length}</span> : null}
          </>
        )}
      </div>
      <div className={classes.track} role="none">
        {barsShown(row.bars, view, width, selectedId).map((bar) => (
          <div
            key={bar.id}
            id={base + bar.id}
            data-bar={bar.id}
            role="option"
            tabIndex={-1}
            aria-selected={bar.id === selectedId}
            aria-label={barSentence(bar)}
            className={classes.bar}
            data-status={bar.status}
            data-open={bar.open || undefined}
            style={{
              left: percent(bar.from, view),
              width: `${((bar.to - bar.from) / (view.to - view.from)) * 100}%`,
              color: statusFill(bar.status),
            }}
          >
            {bar.segments.map((segment) => (
              <span
                key={segment.from}
                className={classes.segment}
                data-kind={segment.kind}
                style={{ flexGrow: segment.to - segment.from }}
              />
            ))}
          </div>
        ))}
      </div>
      <div className={classes.seconds} aria-hidden>
        {times === undefined || !row.isFirst ? null : <RunTime times={times} />}
      </div>
    </div>
  );
});

type LegendEntry = { word: string; kind: SegmentKind; color: string | undefined };

/** The colours and patterns in use: statuses of attempts, then what they waited for. */
function legendOf(bars: readonly Bar[]): LegendEntry[] {
  const kinds = new Set(bars.flatMap((bar) => bar.segments.map((segment) => segment.kind)));
  const statuses = new Set(
    bars.map((bar) => bar.status).filter((status) => status !== "pending" && status !== "waiting"),
  );
  return [
    ...[...statuses].map((status) => ({
      word: statusWord(status),
      kind: "running" as const,
      color: statusFill(status),
    })),
    ...SEGMENT_KINDS.filter((kind) => kind !== "running" && kinds.has(kind)).map((kind) => ({
      word: SEGMENT_WORDS[kind],
      kind,
      color: undefined,
    })),
  ];
}

/** Which attempt a key leads to; undefined: the key has no meaning here. */
function targetOf(key: string, rows: readonly Row[], at: number, selectedId: string | null): string | undefined {
  const ofRow = (index: number) => rows[Math.min(Math.max(index, 0), rows.length - 1)]?.bars.at(-1)?.id;
  const bars = rows[at]?.bars ?? [];
  const place = bars.findIndex((bar) => bar.id === selectedId);
  switch (key) {
    case "ArrowDown":
      return ofRow(at + 1);
    case "ArrowUp":
      return ofRow(at - 1);
    case "Home":
      return ofRow(0);
    case "End":
      return ofRow(rows.length - 1);
    case "ArrowLeft":
      return bars[Math.max(0, place - 1)]?.id;
    case "ArrowRight":
      return bars[Math.min(bars.length - 1, place + 1)]?.id;
    default:
      return undefined;
  }
}

function barSentence(bar: Bar): string {
  const parts = bar.segments.map(
    (segment) => `${SEGMENT_WORDS[segment.kind].toLowerCase()} ${durationText((segment.to - segment.from) / 1000)}`,
  );
  if (bar.copied) parts.push(COPIED.toLowerCase());
  return `${attemptName(bar)}: ${statusWord(bar.status)}${parts.length > 0 ? `, ${parts.join(", ")}` : ""}`;
}

function attemptName(bar: Bar): string {
  return [
    bar.name,
    ...(bar.iteration > 1 ? [`iteration ${bar.iteration}`] : []),
    ...(bar.attempt > 1 ? [`attempt ${bar.attempt}`] : []),
  ].join(", ");
}

function BarWords({ bar }: { bar: Bar }) {
  return (
    <>
      <Text size="sm" fw={600}>
        {attemptName(bar)}
      </Text>
      <Text size="xs">{statusWord(bar.status)}</Text>
      {bar.copied ? <Text size="xs">{COPIED}</Text> : null}
      {bar.segments.map((segment) => (
        <Text key={segment.from} size="xs" className="numbers">
          {segment.kind === "running" && !bar.open ? "Ran" : SEGMENT_WORDS[segment.kind]}{" "}
          {durationText((segment.to - segment.from) / 1000)}
        </Text>
      ))}
    </>
  );
}

type ControlProps = { label: string; icon: typeof IconPlus; onClick: () => void; disabled: boolean };

function Control({ label, icon: Icon, onClick, disabled }: ControlProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label={label} onClick={onClick} disabled={disabled}>
        <Icon size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

function shareOf(at: number, view: View): number {
  return (at - view.from) / (view.to - view.from);
}

function percent(at: number, view: View): string {
  return `${shareOf(at, view) * 100}%`;
}
