/** Log lines, old and new: filtered, searched, followed, copied; any number of them. */
import { ActionIcon, Button, CloseButton, Group, Select, Skeleton, Switch, Text, TextInput } from "@mantine/core";
import { useClipboard, useDebouncedValue } from "@mantine/hooks";
import { IconChevronRight, IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { logsQuery } from "@/api/logs";
import type { LogLevel, LogOut, StepDetail } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import { stringifyJson } from "@/domain/json";
import { type HeardLines, hasGap, LEVELS, lineText, mergedLines } from "@/domain/log-lines";
import { clockText, exactText } from "@/domain/time";
import classes from "./log-view.module.css";
import { Quiet } from "./payload";

const ROW_HEIGHT = 24;
const AT_END_PIXELS = 30;

type LogViewProps = {
  executionId: string;
  /** Only of this attempt. */
  stepExecutionId?: string;
  /** What the socket brought since the page was opened, of the whole execution. */
  heard: HeardLines;
  /** Whether more lines are to be expected: then the end is followed. */
  running: boolean;
  /** To name the step of each line. */
  steps?: readonly StepDetail[];
};

export function LogView({ executionId, stepExecutionId, heard, running, steps }: LogViewProps) {
  const [level, setLevel] = useState<LogLevel>("debug");
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed.trim(), 250);
  const [follow, setFollow] = useState(running);
  const filters = useMemo(
    () => ({
      step_execution_id: stepExecutionId,
      level: level === "debug" ? undefined : level,
      q: q === "" ? undefined : q,
    }),
    [stepExecutionId, level, q],
  );
  const query = useInfiniteQuery(logsQuery(executionId, filters));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const read = useMemo(() => data?.pages.flatMap((page) => page.items), [data]);
  const lines = useMemo(
    () => (read === undefined ? [] : mergedLines(read, heard.lines, filters, !hasNextPage)),
    [read, heard, filters, hasNextPage],
  );
  const [begun, setBegun] = useState({ filters, dropped: heard.dropped });
  if (begun.filters !== filters) setBegun({ filters, dropped: heard.dropped }); // it is read anew
  const isPartial = read !== undefined && !hasNextPage && hasGap(read, heard.dropped, begun.dropped);
  const readAgain = () => {
    setBegun({ filters, dropped: heard.dropped });
    void query.refetch();
  };
  const names = useMemo(() => new Map(steps?.map((step) => [step.step_execution_id, step.step_name])), [steps]);
  const clipboard = useClipboard({ timeout: 1500 });

  return (
    <div className={classes.view}>
      <Group gap={8} className={classes.bar}>
        <TextInput
          size="xs"
          className={classes.search}
          placeholder="Search lines"
          aria-label="Search in the log lines"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          leftSection={<IconSearch size={14} aria-hidden />}
          rightSection={typed === "" ? null : <CloseButton size="xs" aria-label="Clear" onClick={() => setTyped("")} />}
        />
        <Select
          size="xs"
          w={118}
          aria-label="Least severe level shown"
          allowDeselect={false}
          value={level}
          onChange={(next) => setLevel(LEVELS.find((each) => each === next) ?? "debug")}
          data={LEVELS.map((each) => ({ value: each, label: each === "debug" ? "All levels" : LEVEL_WORDS[each] }))}
          comboboxProps={{ width: 150 }}
        />
        <Group gap={8} ml="auto" wrap="nowrap">
          <Switch
            size="xs"
            label="Follow"
            checked={follow}
            onChange={(event) => setFollow(event.currentTarget.checked)}
          />
          <Button
            size="compact-xs"
            variant="default"
            disabled={lines.length === 0}
            onClick={() => clipboard.copy(lines.map((line) => lineText(line, nameOf(names, line))).join("\n"))}
          >
            {clipboard.copied ? "Copied" : "Copy"}
          </Button>
        </Group>
      </Group>
      {isPartial ? (
        <Group gap={8} className={classes.gap} role="status">
          <Text size="xs">
            The page keeps the newest 5,000 lines that came while it was open. Older ones are missing here.
          </Text>
          <Button size="compact-xs" variant="default" onClick={readAgain}>
            Read them
          </Button>
        </Group>
      ) : null}
      {query.isError && data === undefined ? (
        <QueryFailed what="Log lines" error={query.error} retry={() => void query.refetch()} />
      ) : data === undefined ? (
        <Skeleton height={160} radius={0} role="status" aria-label="Log lines are being read" />
      ) : lines.length === 0 ? (
        <div className={classes.none}>
          <Quiet>{noneText(q !== "" || level !== "debug", running)}</Quiet>
        </div>
      ) : (
        <Lines
          lines={lines}
          names={steps === undefined ? null : names}
          follow={follow}
          onFollow={setFollow}
          more={hasNextPage && !isFetchingNextPage && !query.isFetchNextPageError ? () => void fetchNextPage() : null}
        />
      )}
      {query.isFetchNextPageError ? (
        <QueryFailed what="More log lines" error={query.error} retry={() => void fetchNextPage()} />
      ) : null}
      {data === undefined ? null : (
        <Text size="xs" className={`quiet numbers ${classes.foot}`}>
          {lines.length.toLocaleString("en")} {lines.length === 1 ? "line" : "lines"}
          {hasNextPage ? ", more below" : running ? ", new ones appear as they are written" : ""}
        </Text>
      )}
    </div>
  );
}

const LEVEL_WORDS: Readonly<Record<LogLevel, string>> = {
  debug: "Debug",
  info: "Info and up",
  warning: "Warning and up",
  error: "Errors",
};

function noneText(filtered: boolean, running: boolean): string {
  if (filtered) return "No line matches.";
  return running ? "No log lines yet." : "No log lines.";
}

function nameOf(names: ReadonlyMap<string, string>, line: LogOut): string | null {
  return line.step_execution_id === null ? null : (names.get(line.step_execution_id) ?? null);
}

type LinesProps = {
  lines: readonly LogOut[];
  names: ReadonlyMap<string, string> | null;
  follow: boolean;
  onFollow: (follow: boolean) => void;
  /** Read the next page; null: there is none, or it is being read. */
  more: (() => void) | null;
};

function Lines({ lines, names, follow, onFollow, more }: LinesProps) {
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
  useEffect(() => {
    if (more !== null && (follow || lastShown >= lines.length - 50)) more();
  }, [more, follow, lastShown, lines.length]);
  useEffect(() => {
    if (follow && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [virtual, follow, lines.length]);

  const toggle = (id: string) =>
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  const onScroll = () => {
    const box = frame.current;
    if (box !== null && follow && box.scrollHeight - box.scrollTop - box.clientHeight > AT_END_PIXELS * 8)
      onFollow(false);
  };

  return (
    <div
      ref={frame}
      className={classes.lines}
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
          const isOpen = open.has(line.log_id);
          const hasData = line.data !== null || line.data_omitted;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              data-level={line.level}
              className={classes.line}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {hasData ? (
                <ActionIcon
                  size={18}
                  variant="subtle"
                  color="gray"
                  aria-label="Data of this line"
                  aria-expanded={isOpen}
                  onClick={() => toggle(line.log_id)}
                >
                  <IconChevronRight size={13} aria-hidden className={classes.chevron} data-open={isOpen || undefined} />
                </ActionIcon>
              ) : (
                <span className={classes.noData} />
              )}
              <time dateTime={line.logged_at} title={exactText(line.logged_at)}>
                {clockText(line.logged_at)}
              </time>
              <span className={classes.level}>{line.level}</span>
              <span className={classes.message}>
                {names === null ? null : <span className={classes.step}>{nameOf(names, line) ?? ""}</span>}
                {line.message}
                {isOpen ? (
                  <pre className={classes.data}>
                    {line.data_omitted
                      ? "Its data is larger than 64 KiB and only in the export."
                      : stringifyJson(line.data, 2)}
                  </pre>
                ) : null}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
