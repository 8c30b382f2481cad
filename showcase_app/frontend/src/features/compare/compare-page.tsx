/** Two executions side by side: where they first went different ways, on the graph and in the list, and what differs. */
import { Alert, Anchor, Button, Group, SegmentedControl, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconArrowRight, IconArrowsExchange, IconCheck, IconGitFork, IconRefresh } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { ApiError } from "@/api/client";
import { comparisonQuery } from "@/api/comparison";
import { useInvalidatedByExecutions } from "@/api/live-list";
import { graphQuery } from "@/api/pipelines";
import type { AlignedRunOut, ComparisonOut } from "@/api/schema.gen";
import { LiveMark } from "@/components/ui/live-mark";
import { useTimes } from "@/components/ui/moments";
import { Nothing, NotThere, QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import {
  compareAddress,
  countsText,
  edgeStatesOf,
  firstRun,
  marksOf,
  nodeRunsOf,
  runWord,
  type SideName,
} from "@/domain/comparison";
import { clockText } from "@/domain/time";
import { GraphView } from "@/features/graph/graph-view";
import classes from "./compare.module.css";
import { ComparedExecutions } from "./compared-executions";
import { Differences } from "./differences";
import { RunList } from "./run-list";

const WAITING_HEIGHT = 300;
const READ_EVERY_MS = 2000;
const READABLE = { label: { color: "var(--mantine-color-text)" } }; // in small text, Mantine's own colours are too pale

export function Component() {
  const [params] = useSearchParams();
  const [a, b] = [params.get("a"), params.get("b")];
  if (a === null || a === "") return <Unchosen />;
  return <Compare key={`${a} ${b}`} a={a} b={b} />;
}

function Unchosen() {
  return (
    <>
      <PageHead title="Compare" />
      <div className="panel">
        <Nothing title="Choose two executions">
          Select two in{" "}
          <Anchor component={Link} to="/executions" inherit underline="always">
            the list
          </Anchor>
          , or open one and compare it with the last good one.
        </Nothing>
      </div>
    </>
  );
}

function Compare({ a, b }: { a: string; b: string | null }) {
  const { data, error, refetch, isFetching } = useQuery(comparisonQuery(a, b));
  const { zone } = useTimes();
  if (data !== undefined && (data.a.execution_id !== a || data.b.execution_id !== b)) {
    return <ToOwnAddress comparison={data} />;
  }
  return (
    <>
      <PageHead
        title="Compare"
        beside={data === undefined || data.as_of === null ? undefined : <Followed comparison={data} />}
        actions={
          data === undefined ? undefined : (
            <>
              {data.as_of === null ? null : (
                <Button
                  variant="default"
                  size="xs"
                  leftSection={<IconRefresh size={15} aria-hidden />}
                  loading={isFetching}
                  onClick={() => void refetch()}
                >
                  As of {clockText(data.as_of, zone, "second")}
                </Button>
              )}
              <Button
                component={Link}
                to={compareAddress(data.b.execution_id, data.a.execution_id)}
                variant="default"
                size="xs"
                leftSection={<IconArrowsExchange size={15} aria-hidden />}
              >
                Swap
              </Button>
            </>
          )
        }
      />
      {data !== undefined ? (
        <Compared comparison={data} />
      ) : error === null ? (
        <Stack aria-label="The executions are being compared" role="status">
          <Skeleton height={96} />
          <Skeleton height={44} />
          <Skeleton height={WAITING_HEIGHT} />
        </Stack>
      ) : error instanceof ApiError && error.status === 404 ? (
        <NotThere title="They cannot be compared" why={error.message} to="/executions" others="All executions" />
      ) : (
        <QueryFailed what="The comparison" error={error} retry={() => void refetch()} />
      )}
    </>
  );
}

/** Reads the comparison again as the two go on; there until both have ended. */
function Followed({ comparison }: { comparison: ComparisonOut }) {
  const [a, b] = [comparison.a.execution_id, comparison.b.execution_id];
  const live = useInvalidatedByExecutions([comparisonQuery(a, b).queryKey], READ_EVERY_MS, [a, b]);
  return <LiveMark state={live} />;
}

/** To the address that names both by their own ids: tomorrow the last good one is another. */
function ToOwnAddress({ comparison }: { comparison: ComparisonOut }) {
  const client = useQueryClient();
  const [, setParams] = useSearchParams();
  useEffect(() => {
    const [a, b] = [comparison.a.execution_id, comparison.b.execution_id];
    client.setQueryData(comparisonQuery(a, b).queryKey, comparison);
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        after.set("a", a);
        after.set("b", b);
        return after;
      },
      { replace: true },
    );
  }, [client, comparison, setParams]);
  return null;
}

function Compared({ comparison }: { comparison: ComparisonOut }) {
  const [params, setParams] = useSearchParams();
  const set = (name: string, value: string | null) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (value === null) after.delete(name);
        else after.set(name, value);
        return after;
      },
      { replace: true, preventScrollReset: true },
    );
  const first = useMemo(() => firstRun(comparison), [comparison]);
  const selected = comparison.steps.find((run) => runWord(run) === params.get("run")) ?? null;
  const select = (run: AlignedRunOut | null) => set("run", run === null ? null : runWord(run));
  const selectStep = (stepId: string) => select(runOfStep(comparison, stepId, selected));
  return (
    <>
      <ComparedExecutions comparison={comparison} />
      <FirstDivergence comparison={comparison} onJump={first === null ? null : () => select(first)} />
      {comparison.notes.map((note) => (
        <Text key={note} size="sm" className={classes.note}>
          {note}
        </Text>
      ))}
      <ComparedGraph
        comparison={comparison}
        selected={selected === null ? null : selected.step_id}
        onSelect={selectStep}
        shown={params.get("graph") === "b" ? "b" : "a"}
        onShow={(side) => set("graph", side === "a" ? null : side)}
      />
      <div className={classes.columns}>
        <RunList
          comparison={comparison}
          first={first}
          selected={selected}
          onSelect={select}
          everything={params.get("show") === "all"}
          onShow={(everything) => set("show", everything ? "all" : null)}
        />
        <Differences comparison={comparison} run={selected} onClose={() => select(null)} />
      </div>
    </>
  );
}

/** The run that a click on a step means: the next one of it that differs, else its first. */
function runOfStep(comparison: ComparisonOut, stepId: string, selected: AlignedRunOut | null): AlignedRunOut | null {
  if (selected?.step_id === stepId) return selected;
  const runs = comparison.steps.filter((run) => run.step_id === stepId);
  return runs.find((run) => run.differs) ?? runs[0] ?? null;
}

function FirstDivergence({ comparison, onJump }: { comparison: ComparisonOut; onJump: (() => void) | null }) {
  const { divergence, as_of } = comparison;
  if (divergence === null) {
    return (
      <Alert
        color="teal"
        icon={<IconCheck aria-hidden />}
        p="sm"
        mb="md"
        title="They did not diverge"
        role="status"
        styles={READABLE}
      >
        <Text size="sm">
          {as_of === null ? "" : "As far as both have come: "}
          {countsText(comparison.counts)}.
        </Text>
      </Alert>
    );
  }
  return (
    <Alert
      color="orange"
      icon={<IconGitFork aria-hidden />}
      p="sm"
      mb="md"
      title="Where they first diverged"
      role="status"
      styles={READABLE}
    >
      <Group justify="space-between" gap="sm" align="flex-end">
        <Text size="sm">{divergence.sentence}</Text>
        {onJump === null ? null : (
          <Button
            size="compact-sm"
            variant="default"
            rightSection={<IconArrowRight size={14} aria-hidden />}
            onClick={onJump}
          >
            Show the step
          </Button>
        )}
      </Group>
    </Alert>
  );
}

type ComparedGraphProps = {
  comparison: ComparisonOut;
  selected: string | null;
  onSelect: (stepId: string) => void;
  shown: SideName;
  onShow: (side: SideName) => void;
};

/** The graph of one of them, with what differs marked; there is none where a program recorded both by itself. */
function ComparedGraph({ comparison, selected, onSelect, shown, onShow }: ComparedGraphProps) {
  const [a, b] = [comparison.a.pipeline_version, comparison.b.pipeline_version];
  const side: SideName = (shown === "b" && b !== null) || a === null ? "b" : "a";
  const execution = comparison[side];
  const version = execution.pipeline_version;
  const graph = useQuery({ ...graphQuery(execution.pipeline_id, version ?? 0), enabled: version !== null });
  const drawn = useMemo(
    () =>
      graph.data === undefined
        ? undefined
        : {
            graph: graph.data,
            runs: nodeRunsOf(comparison, side, graph.data),
            edges: edgeStatesOf(comparison, graph.data),
          },
    [comparison, side, graph.data],
  );
  const marks = useMemo(() => marksOf(comparison), [comparison]);
  if (version === null) return null;
  return (
    <section aria-label="Graph" className={classes.graph}>
      <Group justify="space-between" gap="xs" mb={8}>
        <Title order={2} size="h3">
          Graph
        </Title>
        {a === null || b === null ? null : (
          <SegmentedControl
            size="xs"
            aria-label="Whose graph is shown"
            value={side}
            onChange={(value) => onShow(value === "b" ? "b" : "a")}
            data={[
              { value: "a", label: `A, v${a}` },
              { value: "b", label: `B, v${b}` },
            ]}
          />
        )}
      </Group>
      {drawn !== undefined ? (
        <GraphView {...drawn} marks={marks} selected={selected} onSelect={onSelect} />
      ) : graph.error !== null ? (
        <QueryFailed what="The graph" error={graph.error} retry={() => void graph.refetch()} />
      ) : (
        <Skeleton height={WAITING_HEIGHT} role="status" aria-label="The graph is being read" />
      )}
    </section>
  );
}
