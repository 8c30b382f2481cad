/** Everything about one step: its attempts, what is within it, and one attempt of it. */
import { ActionIcon, Anchor, Group, Skeleton, Text, Title } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense, useEffect, useMemo, useState } from "react";
import { Link } from "react-router";
import { EVERY_RUN, runsQuery, useReadAgain } from "@/api/runs";
import type { ExecutionDetail, GraphNode, RunPageOut, StepDetail } from "@/api/schema.gen";
import { lazyPart } from "@/components/ui/lazy-part";
import { StatusBadge } from "@/components/ui/status-badge";
import { inShownOrder, type Place, pathOf, totalOf } from "@/domain/inner-runs";
import type { HeardLines } from "@/domain/log-lines";
import { attemptsOf, isOver } from "@/domain/runs";
import { editsOf, editText } from "@/domain/second-chances";
import { hasEnded } from "@/domain/status";
import type { ShownLevel } from "@/domain/timeline";
import { AttemptFacts, AttemptSegments, AttemptTabs, Question, timesByAttempt } from "./attempt-view";
import classes from "./execution.module.css";
import { Quiet } from "./payload";
import { RerunFromHere } from "./rerun-from-here";
import { RoutesList } from "./routes-list";
import { type InnerRuns, useInnerRuns } from "./use-inner-runs";
import type { Selection } from "./use-selection";

const WithinStep = lazyPart(async () => (await import("./within-step")).WithinStep);
const OpenedRun = lazyPart(async () => (await import("./opened-run")).OpenedRun);

type StepPanelProps = {
  execution: ExecutionDetail;
  selection: Selection;
  stepId: string;
  node: GraphNode | undefined;
  nameOf: (stepId: string) => string;
  heard: HeardLines;
  /** Told what is within the run that is looked at; null: nothing is known of it. */
  onLevel: (level: ShownLevel | null) => void;
};

export function StepPanel({ execution, selection, stepId, node, nameOf, heard, onLevel }: StepPanelProps) {
  const { attempt } = selection;
  const path = attempt === null ? null : pathOf(attempt);
  const inner = useInnerRuns(path);
  const { places, open } = inner;
  const first = useFirstRuns(execution, attempt, path);
  useLevel(stepId, first, inner, onLevel);
  const [left, setLeft] = useState<Place | null>(null); // the run that was looked at before one around it
  const openRun = (run: Omit<Place, "within" | "attempt">) => {
    setLeft(null);
    open(places.length, { ...run, attempt: null });
  };
  const goUp = (depth: number) => {
    setLeft(places[depth] ?? null);
    open(depth, null);
  };
  const attempts = useMemo(() => attemptsOf(execution.steps, stepId), [execution.steps, stepId]);
  const times = useMemo(() => timesByAttempt(attempts, execution.interactions), [attempts, execution.interactions]);
  if (places.length > 0) {
    return (
      <Suspense fallback={<Skeleton height={420} role="status" aria-label="The run is being read" />}>
        <OpenedRun
          execution={execution}
          selection={selection}
          inner={inner}
          places={places}
          name={nameOf(stepId)}
          left={left}
          onOpen={openRun}
          onUp={goUp}
        />
      </Suspense>
    );
  }
  return (
    <section className={`panel ${classes.panel}`} aria-label={`Step ${nameOf(stepId)}`}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
        <Group gap="xs">
          <Title order={2}>{nameOf(stepId)}</Title>
          {attempt === null ? null : <StatusBadge status={attempt.status} />}
        </Group>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label="Close the step, and show the execution"
          onClick={() => selection.selectStep(null)}
        >
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
      <Text size="xs" className="quiet" mt={2}>
        <span className="mono">{stepId}</span>
        {node?.step_class == null ? null : ` · ${[node.module, node.step_class].filter(Boolean).join(".")}`}
        {node?.description == null ? null : ` · ${node.description}`}
      </Text>
      {attempt === null ? (
        <Quiet>
          {hasEnded(execution.status)
            ? "It did not run in this execution."
            : "It has not begun. Whether it does depends on the paths taken."}
        </Quiet>
      ) : (
        <>
          <AttemptSegments attempts={attempts} attempt={attempt} node={node} selection={selection} />
          <AttemptFacts attempt={attempt} times={times} owner={execution.owner} />
          <Origin attempt={attempt} execution={execution} />
          <Question
            interaction={execution.interactions.find((each) => each.step_execution_id === attempt.step_execution_id)}
          />
          <Group mt={6}>
            <RerunFromHere execution={execution} attempt={attempt} />
          </Group>
          <RoutesList routes={attempt.routes} nameOf={nameOf} onSelect={(id) => selection.selectStep(id)} />
          {first === undefined || first.items.length === 0 || path === null ? null : (
            <Suspense
              fallback={<Skeleton height={160} mt="sm" role="status" aria-label="What is within is being read" />}
            >
              <WithinStep
                key={path}
                executionId={execution.execution_id}
                path={path}
                first={first}
                mapped={node?.map_over == null ? null : attempt}
                onOpen={openRun}
                left={left}
              />
            </Suspense>
          )}
          <AttemptTabs
            key={attempt.step_execution_id}
            execution={execution}
            selection={selection}
            attempt={attempt}
            attempts={attempts}
            times={times}
            nameOf={nameOf}
            heard={heard}
          />
        </>
      )}
    </section>
  );
}

/** Where its result or its input is from, where that is not its own run. */
function Origin({ attempt, execution }: { attempt: StepDetail; execution: ExecutionDetail }) {
  const rerunOf = execution.rerun_of;
  const edit = editsOf(execution).find(
    ({ step_id, iteration }) => step_id === attempt.step_id && iteration === attempt.iteration,
  );
  return (
    <>
      {attempt.copied_from === null ? null : (
        <Text size="sm" className={classes.note}>
          It did not run here: its result, and an answer that it has, are copied from{" "}
          {rerunOf === null ? (
            "an earlier execution"
          ) : (
            <Anchor
              component={Link}
              to={`/executions/${encodeURIComponent(rerunOf)}?step=${encodeURIComponent(attempt.step_id)}`}
              inherit
            >
              the execution that this one repeats
            </Anchor>
          )}
          .
        </Text>
      )}
      {edit === undefined ? null : (
        <Text size="sm" className={classes.note}>
          {editText(edit)}
        </Text>
      )}
    </>
  );
}

/** The first page of what is within a run, current while it goes on; undefined: not read so far. */
function useFirstRuns(execution: ExecutionDetail, attempt: StepDetail | null, path: string | null) {
  const { data } = useQuery({
    ...runsQuery(execution.execution_id, path ?? "", EVERY_RUN, null),
    enabled: path !== null,
  });
  useReadAgain(execution.execution_id, execution.sequence, attempt !== null && !isOver(attempt), false);
  return path === null ? undefined : data;
}

/** Tells the timeline and the list what is within the run that is looked at. */
function useLevel(
  stepId: string,
  first: RunPageOut | undefined,
  { places, open }: InnerRuns,
  onLevel: (level: ShownLevel | null) => void,
): void {
  const chosen = places[0] === undefined ? null : pathOf(places[0]);
  const level = useMemo(() => {
    if (first === undefined || first.items.length === 0) return null;
    const run = (id: string) => first.items.find((each) => each.step_execution_id === id);
    return {
      stepId,
      runs: inShownOrder(first.items, true),
      total: totalOf(first.by_status ?? {}),
      chosen: first.items.find((each) => each.path === chosen)?.step_execution_id ?? null,
      choose: (id: string) => {
        const found = run(id);
        if (found !== undefined) open(0, { ...found, attempt: null });
      },
    };
  }, [stepId, first, chosen, open]);
  useEffect(() => {
    onLevel(level);
    return () => onLevel(null);
  }, [level, onLevel]);
}
