/** A run within a step, looked at as a step is: its attempts, what went in and came out, and what is within it. */
import { ActionIcon, Group, Skeleton, Text, Title } from "@mantine/core";
import { IconChevronRight, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { attemptsQuery, EVERY_RUN, runsQuery, useReadAgain } from "@/api/runs";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
import { Nothing, QueryFailed } from "@/components/ui/notices";
import { StatusBadge } from "@/components/ui/status-badge";
import { type Place, pathOf, runName } from "@/domain/inner-runs";
import { NO_LINES } from "@/domain/log-lines";
import { isOver } from "@/domain/runs";
import { AttemptFacts, AttemptSegments, AttemptTabs, Question, timesByAttempt } from "./attempt-view";
import classes from "./execution.module.css";
import type { InnerRuns } from "./use-inner-runs";
import type { Selection } from "./use-selection";
import own from "./within.module.css";
import { WithinStep } from "./within-step";

type OpenedRunProps = {
  execution: ExecutionDetail;
  selection: Selection;
  inner: InnerRuns;
  /** Of these the last is looked at. */
  places: readonly Place[];
  /** What the step of the graph around all of it is called. */
  name: string;
  left: Place | null;
  onOpen: (run: Omit<Place, "within" | "attempt">) => void;
  onUp: (depth: number) => void;
};

export function OpenedRun({ execution, selection, inner, places, name, left, onOpen, onUp }: OpenedRunProps) {
  const place = places.at(-1);
  return place === undefined ? null : (
    <Run
      key={pathOf(place)}
      execution={execution}
      selection={selection}
      inner={inner}
      places={places}
      place={place}
      name={name}
      left={left}
      onOpen={onOpen}
      onUp={onUp}
    />
  );
}

function Run({
  execution,
  selection,
  inner,
  places,
  place,
  name,
  left,
  onOpen,
  onUp,
}: OpenedRunProps & { place: Place }) {
  const executionId = execution.execution_id;
  const path = pathOf(place);
  const { data: attempts, error, refetch } = useQuery(attemptsQuery(executionId, place));
  const { data: within } = useQuery(runsQuery(executionId, path, EVERY_RUN, null));
  const attempt = attempts?.find((each) => each.attempt === place.attempt) ?? attempts?.at(-1) ?? null;
  useReadAgain(executionId, execution.sequence, attempts !== undefined && !attempts.every(isOver), true);
  const times = useMemo(
    () => timesByAttempt(attempts ?? [], execution.interactions),
    [attempts, execution.interactions],
  );
  const title = useRef<HTMLHeadingElement>(null);
  const { hasMoved } = inner;
  useEffect(() => {
    if (hasMoved() && left === null) title.current?.focus();
  }, [hasMoved, left]);
  const depth = places.length - 1;
  const shown: Selection = {
    stepId: place.step_id,
    attempt,
    tab: selection.tab,
    selectStep: (_, chosen, tab) =>
      inner.open(depth, { ...place, attempt: chosen?.attempt ?? null }, tab ?? selection.tab ?? undefined),
    selectTab: selection.selectTab,
  };
  const called = attempt === null ? runName({ ...place, step_name: place.step_id }) : runName(attempt);
  return (
    <section className={`panel ${classes.panel}`} aria-label={`Run ${called.name}`}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
        <Way places={places} name={name} onUp={onUp} />
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label="Close the step, and show the execution"
          onClick={() => selection.selectStep(null)}
        >
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
      <Group gap="xs">
        <Title order={2} ref={title} tabIndex={-1} className={own.title}>
          {called.name}
          {called.number === null ? null : <span className="quiet"> {called.number}</span>}
        </Title>
        {attempt === null ? null : <StatusBadge status={attempt.status} />}
      </Group>
      <Text size="xs" className={`quiet ${own.path}`} mt={2}>
        <span className="mono">{path}</span>
      </Text>
      {attempts === undefined ? (
        error === null ? (
          <Skeleton height={320} mt="sm" role="status" aria-label="The run is being read" />
        ) : (
          <QueryFailed what="The run" error={error} retry={() => void refetch()} />
        )
      ) : attempt === null ? (
        <Nothing title="There is no such run">It has not begun, or the address is not whole.</Nothing>
      ) : (
        <>
          <AttemptSegments attempts={attempts} attempt={attempt} node={undefined} selection={shown} />
          <AttemptFacts attempt={attempt} times={times} owner={execution.owner} />
          <Question interaction={questionOf(execution, attempt)} />
          {within === undefined || within.items.length === 0 ? null : (
            <WithinStep
              executionId={executionId}
              path={path}
              first={within}
              mapped={null}
              onOpen={onOpen}
              left={left}
            />
          )}
          <AttemptTabs
            key={attempt.step_execution_id}
            execution={execution}
            selection={shown}
            attempt={attempt}
            attempts={attempts}
            times={times}
            nameOf={(stepId) => stepId}
            heard={NO_LINES}
          />
        </>
      )}
    </section>
  );
}

function questionOf(execution: ExecutionDetail, attempt: StepDetail) {
  return execution.interactions.find((each) => each.step_execution_id === attempt.step_execution_id);
}

type WayProps = { places: readonly Place[]; name: string; onUp: (depth: number) => void };

/** The runs around this one, from the step of the graph inwards, each a way back. */
function Way({ places, name, onUp }: WayProps) {
  const names = [name, ...places.slice(0, -1).map((place) => `${place.step_id} #${place.iteration}`)];
  return (
    <nav aria-label="The runs around it" className={own.way}>
      {names.map((each, depth) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a place is known by its depth
        <span key={depth}>
          <button type="button" onClick={() => onUp(depth)}>
            {each}
          </button>
          <IconChevronRight size={12} aria-hidden className="quiet" />
        </span>
      ))}
    </nav>
  );
}
