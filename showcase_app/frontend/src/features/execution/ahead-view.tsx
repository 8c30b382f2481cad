/** What a re-run or a resumed execution would do, before it does: the graph, what has effects, and what is kept. */
import { Alert, List, Stack, Text } from "@mantine/core";
import { IconBolt } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { graphQuery } from "@/api/pipelines";
import type { AheadOut, ExecutionDetail, InteractionOut, ItemsAheadOut, StepRunOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { carriedAnswers, marksOfPlan } from "@/domain/second-chances";
import { GraphView } from "@/features/graph/graph-view";

const DARK_TITLE = { label: { color: "var(--mantine-color-text)" } }; // the theme's is too pale on its ground

type AheadViewProps = {
  plan: AheadOut;
  execution: ExecutionDetail;
  /** The one that would run. */
  version: number;
  /** The name of a step, by its id. */
  nameOf: (stepId: string) => string;
};

export function AheadView({ plan, execution, version, nameOf }: AheadViewProps) {
  const graph = useQuery(graphQuery(execution.pipeline_id, version));
  const marks = useMemo(() => marksOfPlan(plan), [plan]);
  const carried = useMemo(() => carriedAnswers(execution, plan), [execution, plan]);
  return (
    <Stack gap="sm">
      {graph.data !== undefined ? (
        <section aria-label="What is kept and what runs">
          <GraphView graph={graph.data} marks={marks} />
        </section>
      ) : graph.error !== null ? (
        <QueryFailed what="The graph" error={graph.error} retry={() => void graph.refetch()} />
      ) : null}
      <Effects plan={plan} />
      <Text size="sm">{keptText(plan)}</Text>
      {plan.items === null ? null : <Text size="sm">{itemsText(plan.items)}</Text>}
      {plan.asked_again.length === 0 ? null : (
        <Text size="sm">
          Asked again, since an answer did not count for an edit: {namesOf(plan.asked_again, nameOf)}.
        </Text>
      )}
      {carried.map((answer) => (
        <Carried key={answer.interaction_id} answer={answer} nameOf={nameOf} />
      ))}
    </Stack>
  );
}

function Effects({ plan }: { plan: AheadOut }) {
  const acting = plan.steps.filter((step) => step.may_have_effects);
  if (acting.length === 0) {
    return (
      <Text size="sm">
        {plan.steps.length === 0
          ? "No step runs."
          : "Every step that runs is pure, or only reads: nothing happens twice."}
      </Text>
    );
  }
  return (
    <Alert
      color="orange"
      icon={<IconBolt aria-hidden />}
      title="These steps run, or may, and have effects outside, or may"
      styles={DARK_TITLE}
      p="xs"
    >
      <List size="sm" spacing={2}>
        {acting.map((step) => (
          <List.Item key={step.step_id}>
            <b>{step.step_name}</b>: {step.effect_text}
            {step.runs > 1 ? `, ${step.runs.toLocaleString("en")} runs on record` : ""}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}

function Carried({ answer, nameOf }: { answer: InteractionOut; nameOf: (stepId: string) => string }) {
  return (
    <Text size="sm">
      Carried over: the answer to {nameOf(answer.step_id)}
      {answer.actor === null ? "" : ` by ${answer.actor}${answer.verified ? "" : " (not verified)"}`}
      {answer.completed_at === null ? null : (
        <>
          , <Moment at={answer.completed_at} />
        </>
      )}
      .
    </Text>
  );
}

function keptText({ kept, by_hand }: AheadOut): string {
  const byHand = by_hand === null ? "" : ` The result of ${by_hand.step_id} is what is given here.`;
  if (kept.length === 0) return `Nothing is kept: all of it runs.${byHand}`;
  const runs = kept.length === 1 ? "1 step run is" : `${kept.length.toLocaleString("en")} step runs are`;
  return `${runs} kept, with results and answers, and not run again.${byHand}`;
}

function itemsText({ kept, runs }: ItemsAheadOut): string {
  const items = kept === 1 ? "1 item is" : `${kept.toLocaleString("en")} items are`;
  const others = runs === null ? "the others run" : `${runs.toLocaleString("en")} ${runs === 1 ? "runs" : "run"}`;
  return `${items} kept, with results; ${others}.`;
}

function namesOf(runs: readonly StepRunOut[], nameOf: (stepId: string) => string): string {
  return runs.map(({ step_id, iteration }) => nameOf(step_id) + (iteration > 1 ? `#${iteration}` : "")).join(", ");
}
