/** What is within a run: how many stand how, those that are looked for, and a way into each. */
import { Button, CloseButton, Group, Skeleton, Table, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconChevronLeft, IconChevronRight, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, Suspense, useEffect, useRef, useState } from "react";
import { EVERY_RUN, nextRunsQuery, type RunFilters } from "@/api/runs";
import type { RunOut, RunPageOut, StepDetail, StepStatus } from "@/api/schema.gen";
import { CopiedMark } from "@/components/ui/copied-mark";
import { lazyPart } from "@/components/ui/lazy-part";
import { RunTime } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { StatusIcon } from "@/components/ui/status-badge";
import { segmentsByAttempt, timesOfAttempt } from "@/domain/durations";
import { inShownOrder, type Place, pathOf, runName, totalOf } from "@/domain/inner-runs";
import { statusWord } from "@/domain/status";
import { Quiet } from "./payload";
import classes from "./within.module.css";

const ItemSquares = lazyPart(async () => (await import("./item-squares")).ItemSquares);

type WithinStepProps = {
  executionId: string;
  /** The path of the run around them. */
  path: string;
  /** The first page of all of them. */
  first: RunPageOut;
  /** The run itself, where they are the items of its map; null: they are not. */
  mapped: StepDetail | null;
  onOpen: (run: Pick<Place, "step_id" | "iteration">) => void;
  /** The run that was looked at before, which gets the focus where it is one of these; null: none was. */
  left: Place | null;
};

export function WithinStep({ executionId, path, first, mapped, onOpen, left }: WithinStepProps) {
  const [filters, setFilters] = useState<RunFilters>(EVERY_RUN);
  const [cursors, setCursors] = useState<readonly string[]>([]); // of the pages up to this one
  const [from, setFrom] = useState<number | null>(null); // the item that the first of these pages begins with
  const { data, error, isPlaceholderData, refetch } = useQuery(
    nextRunsQuery(executionId, path, filters, cursors.at(-1) ?? null),
  );
  const page = data ?? (filters === EVERY_RUN && cursors.length === 0 ? first : undefined);
  const counts = Object.entries(first.by_status ?? {}) as [StepStatus, number][];
  const total = totalOf(first.by_status ?? {});
  const narrow = (change: Partial<RunFilters>) => {
    setFilters({ ...filters, ...change });
    setCursors([]);
    setFrom(null);
  };
  const goTo = (item: number, stepId: string) => {
    setFilters(EVERY_RUN);
    setCursors([`${item - 1}:${stepId}`]);
    setFrom(item);
  };
  const back = left?.within === path ? left : null;
  const isListed = first.items.some(
    ({ step_id, iteration }) => step_id === back?.step_id && iteration === back.iteration,
  );
  const isWhole = cursors.length === 0 && page?.next_cursor === null;
  return (
    <section aria-label="Within this step" className={classes.within}>
      <Group gap="xs" justify="space-between">
        <Title order={3} size="h5">
          Within this step
        </Title>
        {total < 6 ? null : <NameSearch onSearch={(q) => narrow({ q })} />}
      </Group>
      <Group gap={4} role="group" aria-label="Only those of a status" className={classes.counts}>
        <Count count={total} pressed={filters.status === null} onPress={() => narrow({ status: null })} />
        {counts.map(([status, count]) => (
          <Count
            key={status}
            status={status}
            count={count}
            pressed={filters.status === status}
            onPress={() => narrow({ status: filters.status === status ? null : status })}
          />
        ))}
      </Group>
      {mapped === null ? null : (
        <Suspense fallback={<Skeleton height={60} mb={8} />}>
          <ItemSquares
            row={mapped}
            status={filters.status}
            found={filters.q === "" ? null : (page?.items ?? [])}
            left={back === null || isListed ? null : back.iteration}
            onOpen={(item) => onOpen({ step_id: mapped.step_id, iteration: item })}
            onGoTo={(item) => goTo(item, mapped.step_id)}
          />
        </Suspense>
      )}
      {page === undefined ? (
        error === null ? null : (
          <QueryFailed what="What is within this step" error={error} retry={() => void refetch()} />
        )
      ) : (
        <>
          <Runs
            runs={inShownOrder(page.items, isWhole && mapped === null)}
            isOld={isPlaceholderData}
            onOpen={onOpen}
            left={isListed || mapped === null ? back : null}
          />
          <Pager
            before={cursors.length}
            from={from}
            next={page.next_cursor}
            onNext={(cursor) => setCursors([...cursors, cursor])}
            onBack={() => {
              setCursors(cursors.slice(0, -1));
              if (cursors.length === 1) setFrom(null);
            }}
          />
        </>
      )}
    </section>
  );
}

type CountProps = { status?: StepStatus; count: number; pressed: boolean; onPress: () => void };

function Count({ status, count, pressed, onPress }: CountProps) {
  return (
    <Button
      size="compact-xs"
      variant={pressed ? "light" : "default"}
      aria-pressed={pressed}
      onClick={onPress}
      leftSection={
        status === undefined ? null : (
          <span aria-hidden className={classes.icon}>
            <StatusIcon status={status} size={12} />
          </span>
        )
      }
    >
      {status === undefined ? "All" : statusWord(status)}{" "}
      <span className={`numbers ${classes.count}`}>{count.toLocaleString("en")}</span>
    </Button>
  );
}

function NameSearch({ onSearch }: { onSearch: (q: string) => void }) {
  const [typed, setTyped] = useState("");
  const search = useDebouncedCallback((text: string) => onSearch(text.trim()), 250);
  const type = (text: string) => {
    setTyped(text);
    search(text);
  };
  return (
    <TextInput
      size="xs"
      className={classes.search}
      placeholder="Search names"
      aria-label="Search in the names"
      value={typed}
      onChange={(event) => type(event.currentTarget.value)}
      leftSection={<IconSearch size={14} aria-hidden />}
      rightSection={typed === "" ? null : <CloseButton size="xs" aria-label="Clear" onClick={() => type("")} />}
    />
  );
}

type RunsProps = Pick<WithinStepProps, "onOpen" | "left"> & { runs: readonly RunOut[]; isOld: boolean };

function Runs({ runs, isOld, onOpen, left }: RunsProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const goal = useRef(left);
  useEffect(() => {
    if (goal.current === null) return;
    const back = body.current?.querySelector<HTMLElement>(`[data-path="${CSS.escape(pathOf(goal.current))}"]`);
    (back ?? body.current?.querySelector<HTMLElement>("button"))?.focus();
    goal.current = null;
  }, []);
  if (runs.length === 0) return <Quiet>None of them is like that.</Quiet>;
  return (
    <div className={classes.frame} data-old={isOld || undefined}>
      <Table verticalSpacing={4} horizontalSpacing={6} fz="sm" highlightOnHover className={classes.runs}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th className={classes.narrow}>Status</Table.Th>
            <Table.Th className={classes.narrow} ta="right">
              Run time
            </Table.Th>
            <Table.Th className={classes.narrow} ta="right">
              Attempts
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody ref={body} onKeyDown={onArrow}>
          {runs.map((run) => (
            <Row key={run.path} run={run} onOpen={onOpen} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Row({ run, onOpen }: Pick<WithinStepProps, "onOpen"> & { run: RunOut }) {
  const { name, number } = runName(run);
  const segments = segmentsByAttempt([run], []).get(run.step_execution_id) ?? [];
  return (
    <Table.Tr>
      <Table.Td className={classes.name}>
        <button type="button" className={classes.open} data-path={run.path} onClick={() => onOpen(run)}>
          <span className={classes.nameText}>{name}</span>
          {number === null ? null : <span className="quiet numbers">{number}</span>}
          {run.copied_from === null ? null : <CopiedMark />}
        </button>
        {run.error_message === null && run.error_type === null ? null : (
          <Text size="xs" className={classes.error} title={run.error_message ?? undefined}>
            {[run.error_type, run.error_message].filter((part) => part !== null).join(": ")}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap" className={classes.status}>
          <StatusIcon status={run.status} size={14} />
          <span className={classes.word} aria-hidden>
            {statusWord(run.status)}
          </span>
        </Group>
      </Table.Td>
      <Table.Td ta="right">
        <RunTime times={timesOfAttempt(run, segments)} />
      </Table.Td>
      <Table.Td ta="right" className="numbers">
        {run.attempt}
      </Table.Td>
    </Table.Tr>
  );
}

/** Up and down go from run to run. */
function onArrow(event: KeyboardEvent<HTMLTableSectionElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>("button[data-path]")];
  const next = buttons[buttons.findIndex((each) => each.matches(":focus")) + step];
  next?.focus();
  event.preventDefault();
}

type PagerProps = {
  before: number;
  from: number | null;
  next: string | null;
  onNext: (cursor: string) => void;
  onBack: () => void;
};

function Pager({ before, from, next, onNext, onBack }: PagerProps) {
  if (before === 0 && next === null) return null;
  return (
    <Group gap="xs" justify="flex-end" mt={6}>
      <Text size="xs" className="quiet" role="status">
        {from === null ? `Page ${before + 1}` : `From item ${from.toLocaleString("en")}, page ${before}`}
      </Text>
      <Button
        size="compact-xs"
        variant="default"
        disabled={before === 0}
        onClick={onBack}
        leftSection={<IconChevronLeft size={14} aria-hidden />}
      >
        Before
      </Button>
      <Button
        size="compact-xs"
        variant="default"
        disabled={next === null}
        onClick={() => next !== null && onNext(next)}
        rightSection={<IconChevronRight size={14} aria-hidden />}
      >
        Next
      </Button>
    </Group>
  );
}
