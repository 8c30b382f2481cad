/** One execution: what it is, how it went, and everything it did; live while it goes on. */
import { SegmentedControl, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Suspense, useCallback, useMemo, useRef, useState } from "react";
import { Navigate, useLocation, useSearchParams } from "react-router";
import { ApiError } from "@/api/client";
import { executionQuery } from "@/api/executions";
import { type LiveExecution, useLiveExecution } from "@/api/live-execution";
import { graphQuery } from "@/api/pipelines";
import type { ExecutionDetail, GraphOut, StepDetail } from "@/api/schema.gen";
import { lazyPart } from "@/components/ui/lazy-part";
import { NotThere, QueryFailed } from "@/components/ui/notices";
import { nameIn } from "@/domain/addresses";
import { edgesOf, newestOf, runsOf, stoppedBy } from "@/domain/runs";
import { hasEnded } from "@/domain/status";
import type { ShownLevel } from "@/domain/timeline";
import { GraphView } from "@/features/graph/graph-view";
import { StepFinder } from "@/features/graph/step-finder";
import classes from "./execution.module.css";
import { ExecutionHeader } from "./execution-header";
import { ExecutionPanel } from "./execution-panel";
import { FailureBanner } from "./failure-banner";
import { Timeline } from "./timeline";
import { useSelection } from "./use-selection";

const QuestionBanner = lazyPart(async () => (await import("./question-banner")).QuestionBanner);
const StepPanel = lazyPart(async () => (await import("./step-panel")).StepPanel);
const StepsList = lazyPart(async () => (await import("./steps-list")).StepsList);

const WAITING_HEIGHT = 300;
const LIST_HEIGHT = 340;
const SEEN_PIXELS = 220;

export function Component() {
  const { pathname, search } = useLocation();
  const executionId = nameIn(pathname);
  const { data: execution, error, refetch } = useQuery(executionQuery(executionId));
  const isItsOwn = execution !== undefined && execution.execution_id === executionId;
  const live = useLiveExecution(executionId, isItsOwn);
  if (execution !== undefined && !isItsOwn) {
    // The address has the caller's id: the page of the execution is at its own.
    return <Navigate to={{ pathname: `/executions/${encodeURIComponent(execution.execution_id)}`, search }} replace />;
  }
  if (execution !== undefined) return <Execution key={executionId} execution={execution} live={live} />;
  if (error === null) return <Loading />;
  if (error instanceof ApiError && error.status === 404) {
    return (
      <>
        <Title order={1} mb="md">
          Execution
        </Title>
        <NotThere
          title="There is no execution with this id"
          why="It may have been deleted, or its address is not whole."
          to="/executions"
          others="All executions"
        />
      </>
    );
  }
  return <QueryFailed what="The execution" error={error} retry={() => void refetch()} />;
}

function Execution({ execution, live }: { execution: ExecutionDetail; live: LiveExecution }) {
  const version = execution.pipeline_version;
  const graph = useQuery({ ...graphQuery(execution.pipeline_id, version ?? 0), enabled: version !== null });
  const selection = useSelection(execution.steps);
  const side = useRef<HTMLDivElement>(null);
  const [level, setLevel] = useState<ShownLevel | null>(null);
  const { selectStep } = selection;
  const names = useMemo(() => namesOf(execution, graph.data), [execution, graph.data]);
  const nameOf = useCallback((stepId: string) => names.get(stepId) ?? stepId, [names]);
  const stopped = useMemo(
    () => (execution.status === "failed" ? stoppedBy(execution.steps) : null),
    [execution.status, execution.steps],
  );

  const choose = useCallback(
    (stepId: string, attempt?: StepDetail, tab?: string) => {
      selectStep(stepId, attempt, tab);
      // The panel may be out of sight: below a high graph, or below everything where there is one column.
      const panel = side.current;
      if (panel !== null && panel.getBoundingClientRect().top > window.innerHeight - SEEN_PIXELS) {
        panel.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
      }
    },
    [selectStep],
  );

  return (
    <>
      <ExecutionHeader execution={execution} live={live.state} />
      {execution.status === "failed" ? (
        <FailureBanner execution={execution} step={stopped} onJump={(step) => choose(step.step_id, step, "error")} />
      ) : null}
      <Suspense>
        {execution.interactions.length === 0 ? null : <QuestionBanner execution={execution} nameOf={nameOf} />}
      </Suspense>
      <Graph execution={execution} graph={graph} selected={selection.stepId} onSelect={choose} level={level} />
      <div className={classes.columns}>
        <Timeline execution={execution} selected={selection.attempt} onSelect={choose} level={level} />
        <div ref={side} className={classes.side}>
          {selection.stepId === null ? (
            <ExecutionPanel execution={execution} selection={selection} heard={live.heard} nameOf={nameOf} />
          ) : (
            <Suspense fallback={<Skeleton height={420} role="status" aria-label="The step is being read" />}>
              <StepPanel
                execution={execution}
                selection={selection}
                stepId={selection.stepId}
                node={graph.data?.nodes.find((node) => node.id === selection.stepId)}
                nameOf={nameOf}
                heard={live.heard}
                onLevel={setLevel}
              />
            </Suspense>
          )}
        </div>
      </div>
    </>
  );
}

type GraphProps = {
  execution: ExecutionDetail;
  graph: { data: GraphOut | undefined; error: Error | null; refetch: () => unknown };
  selected: string | null;
  onSelect: (stepId: string) => void;
  level: ShownLevel | null;
};

/** The graph, or the steps as a list: where there is no graph, and for readers who prefer it. */
function Graph({ execution, graph, selected, onSelect, level }: GraphProps) {
  const [params, setParams] = useSearchParams();
  const recorded = execution.pipeline_version === null;
  const shown = recorded || params.get("view") === "list" ? "list" : "graph";
  const runs = useMemo(
    () => (graph.data === undefined ? undefined : runsOf(execution.steps, execution.interactions, graph.data)),
    [execution.steps, execution.interactions, graph.data],
  );
  const ended = hasEnded(execution.status);
  const edges = useMemo(
    () => (graph.data === undefined ? undefined : edgesOf(execution.steps, graph.data, ended)),
    [execution.steps, graph.data, ended],
  );
  const newest = useMemo(() => newestOf(execution.steps), [execution.steps]);
  const findable = useMemo(
    () => graph.data?.nodes ?? [...newest.values()].map(({ step_id: id, step_name: name }) => ({ id, name })),
    [graph.data, newest],
  );
  const statusOf = useCallback((stepId: string) => newest.get(stepId)?.status, [newest]);
  const show = (view: string) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (view === "list") after.set("view", "list");
        else after.delete("view");
        return after;
      },
      { replace: true, preventScrollReset: true },
    );

  return (
    <section aria-label="Steps" className={classes.graph}>
      <div className={classes.views}>
        <Title order={2} size="h3">
          Steps
        </Title>
        <div className={classes.finder}>
          <StepFinder steps={findable} statusOf={statusOf} selected={selected} onSelect={onSelect} />
        </div>
        {recorded ? (
          <Text size="xs" className="quiet">
            A program recorded this without a definition: there is no graph to draw.
          </Text>
        ) : (
          <SegmentedControl
            size="xs"
            aria-label="How the steps are shown"
            value={shown}
            onChange={show}
            data={[
              { value: "graph", label: "Graph" },
              { value: "list", label: "List" },
            ]}
          />
        )}
      </div>
      {shown === "list" ? (
        <div className={`panel ${classes.listed}`}>
          <Suspense fallback={<Skeleton height={Math.min(LIST_HEIGHT, 29 + 38 * newest.size)} />}>
            <StepsList
              execution={execution}
              selected={selected}
              onSelect={onSelect}
              height={LIST_HEIGHT}
              level={level}
            />
          </Suspense>
        </div>
      ) : graph.data !== undefined ? (
        <GraphView graph={graph.data} runs={runs} edges={edges} selected={selected} onSelect={onSelect} />
      ) : graph.error !== null ? (
        <QueryFailed what="The graph" error={graph.error} retry={() => void graph.refetch()} />
      ) : (
        <Skeleton height={WAITING_HEIGHT} role="status" aria-label="The graph is being read" />
      )}
    </section>
  );
}

/** The name of each step: as it ran, else as it is defined. */
function namesOf(execution: ExecutionDetail, graph: GraphOut | undefined): Map<string, string> {
  return new Map([
    ...(graph?.nodes ?? []).map((node): [string, string] => [node.id, node.name]),
    ...execution.steps.map((step): [string, string] => [step.step_id, step.step_name]),
  ]);
}

function calm(): boolean {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function Loading() {
  return (
    <Stack aria-label="The execution is being read">
      <Skeleton height={36} width={320} />
      <Skeleton height={44} />
      <Skeleton height={WAITING_HEIGHT + 36} />
      <div className={classes.columns}>
        <Skeleton height={260} />
        <Skeleton height={420} />
      </div>
    </Stack>
  );
}
