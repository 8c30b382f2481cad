/** How an execution is run again, whole or from a step: on what, on which version, and what that would run. */
import { Alert, Button, Group, SegmentedControl, Select, Skeleton, Stack, Text, Tooltip } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { ApiError, failedTitle } from "@/api/client";
import { executionKeys, payloadsQuery, rerunExecution, rerunPlanQuery, stepInputQuery } from "@/api/executions";
import { pipelineQuery, versionsQuery } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { ExecutionDetail, PipelineDetail, RerunRequest, StepDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { QueryFailed } from "@/components/ui/notices";
import { stringifyJson } from "@/domain/json";
import { newestOf } from "@/domain/runs";
import { hasFields, hasMap, schemasOfStep, whyNotFrom, whyNotRerun } from "@/domain/second-chances";
import { AskBeforeClosing } from "@/features/pipelines/ask-before-closing";
import classes from "@/features/pipelines/pipelines.module.css";
import {
  type FilledIn,
  focusRefused,
  refusedFields,
  ShownAs,
  useFilledIn,
  ValueForm,
} from "@/features/pipelines/value-form";
import { AheadView } from "./ahead-view";
import { useWholeStep } from "./use-whole-step";

const FORM_ID = "rerun-form";
const PLAN_DELAY_MS = 300;
const NO_SCHEMA = {};

/**
 * From a step: on its own input, on another one (with a map: only the items that failed), or with its result given;
 * whole: on its own input or another one.
 */
type On = "same" | "input" | "failed" | "output";

type RerunFormProps = {
  execution: ExecutionDetail;
  /** From where; null: all of it. */
  attempt: StepDetail | null;
  /** Run it again from another step, or (null) whole. */
  onChoose: (attempt: StepDetail | null) => void;
};

/** Reads what the form is filled in with; then the form. */
export function RerunForm(props: RerunFormProps) {
  return props.attempt === null ? <OfAll {...props} /> : <FromStep {...props} attempt={props.attempt} />;
}

function OfAll({ execution, onChoose }: RerunFormProps) {
  const before = useQuery(payloadsQuery(execution.execution_id, execution.status));
  if (before.isError) return <QueryFailed what="Its input" error={before.error} retry={() => void before.refetch()} />;
  if (before.data === undefined) return <Skeleton height={320} role="status" aria-label="Its input is being read" />;
  const input = before.data.input_data ?? {};
  return <FilledForm execution={execution} attempt={null} onChoose={onChoose} input={input} output={null} />;
}

function FromStep({ execution, attempt, onChoose }: RerunFormProps & { attempt: StepDetail }) {
  const before = useQuery(stepInputQuery(execution.execution_id, attempt.step_execution_id));
  const whole = useWholeStep(attempt);
  const error = before.error ?? (whole.known ? null : whole.error);
  if (error !== null) {
    return <QueryFailed what="Its input" error={error} retry={() => [void before.refetch(), whole.retry()]} />;
  }
  if (before.data === undefined || !whole.known)
    return <Skeleton height={320} role="status" aria-label="Its input is being read" />;
  const input = before.data.step_input ?? {};
  const output = whole.step.output_data ?? {};
  return <FilledForm execution={execution} attempt={attempt} onChoose={onChoose} input={input} output={output} />;
}

type FilledFormProps = RerunFormProps & { input: unknown; output: unknown };

function FilledForm({ execution, attempt, onChoose, input, output }: FilledFormProps) {
  const ran = execution.pipeline_version ?? 1;
  const [version, setVersion] = useState(ran);
  const { data: pipeline, isPending } = useQuery({
    ...pipelineQuery(execution.pipeline_id, version),
    placeholderData: keepPreviousData,
  });
  const [on, setOn] = useState<On>("same");
  const schemas = useMemo(() => schemasFor(pipeline, attempt), [pipeline, attempt]);
  const anotherInput = useFilledIn(input);
  const result = useFilledIn(output);
  const filledIn = on === "output" ? result : anotherInput;
  const schema = (on === "output" ? schemas.output : schemas.input) ?? NO_SCHEMA;
  if (!isPending && !hasFields(schema) && filledIn.shown === "form") filledIn.show("json"); // there is no form for it
  const isMapped = attempt !== null && hasMap(pipeline?.definition, attempt.step_id);
  const isWritten = on === "input" || on === "output";
  const part = on === "output" ? "step_output" : attempt === null ? "input_data" : "step_input";

  const bodyWith = (value: unknown): RerunRequest => ({
    ...(version === ran ? {} : { version }),
    ...(attempt === null ? {} : { from_step: attempt.step_id, iteration: attempt.iteration }),
    ...(on === "failed" ? { items: on } : {}),
    ...(isWritten ? { [part]: value } : {}),
  });
  const [planned] = useDebouncedValue(stringifyJson(bodyWith(filledIn.value)), PLAN_DELAY_MS);
  const plan = useQuery(rerunPlanQuery(execution.execution_id, planned));
  const rerun = useRerun(execution);
  const refused = rerun.error instanceof ApiError ? refusedFields(rerun.error, part) : {};
  const failure = Object.keys(refused).length === 0 || filledIn.shown === "json" ? rerun.error : null;
  const readOnly = useWhyReadOnly();
  const whyNot = attempt === null ? whyNotRerun(execution, pipeline) : whyNotFrom(execution, attempt, pipeline);
  const why = readOnly ?? whyNot;
  const nameOf = (stepId: string) => execution.steps.find((step) => step.step_id === stepId)?.step_name ?? stepId;
  return (
    <>
      <Group gap="sm" mb="md" align="flex-end">
        <SegmentedControl
          size="xs"
          aria-label="On what"
          value={on}
          onChange={(next) => {
            setOn(next as On);
            rerun.reset();
          }}
          data={[
            { value: "same", label: "The same input" },
            isMapped ? { value: "failed", label: "Only the failed items" } : { value: "input", label: "Another input" },
            ...(attempt === null ? [] : [{ value: "output", label: "Give its result instead" }]),
          ]}
        />
        <Version execution={execution} version={version} onChange={setVersion} />
        {isWritten && hasFields(schema) ? <ShownAs filledIn={filledIn} /> : null}
      </Group>
      {!isWritten ? null : isPending ? (
        <Skeleton height={160} role="status" aria-label="The form is being made" />
      ) : (
        <Written
          key={on}
          label={on === "output" ? "Result as JSON" : "Input as JSON"}
          schema={schema}
          filledIn={filledIn}
          defaults={on === "output" ? output : input}
          refused={refused}
          onEdit={() => rerun.reset()}
          onSubmit={(value) => rerun.mutate(bodyWith(value))}
        />
      )}
      <Stack gap="sm" mt="md">
        {plan.isError ? (
          <NotFitting error={plan.error} execution={execution} onChoose={onChoose} />
        ) : plan.data === undefined ? (
          <Skeleton height={200} role="status" aria-label="What would run is being looked for" />
        ) : (
          <AheadView plan={plan.data} execution={execution} version={version} nameOf={nameOf} />
        )}
        <Text size="sm" className="quiet">
          It becomes a new execution with idempotency keys of its own: a service that knows the old ones takes these for
          new requests. Its steps can see which execution it repeats. This one stays as it is.
        </Text>
      </Stack>
      {anotherInput.isTyped || result.isTyped ? <AskBeforeClosing param="do" /> : null}
      <div className={classes.drawerFoot}>
        {failure === null ? null : (
          <Alert
            color="red"
            icon={<IconAlertTriangle aria-hidden />}
            title={failedTitle(failure, "It was not run again")}
            mb="sm"
            role="alert"
          >
            {failure.message}
          </Alert>
        )}
        <Group justify="flex-end">
          <Tooltip label={why} disabled={why === null}>
            <Button
              {...(isWritten
                ? { type: "submit" as const, form: FORM_ID }
                : { onClick: () => rerun.mutate(bodyWith(null)) })}
              leftSection={<IconRefresh size={16} aria-hidden />}
              loading={rerun.isPending}
              disabled={why !== null || (isWritten && filledIn.isBroken)}
            >
              Run again
            </Button>
          </Tooltip>
        </Group>
      </div>
    </>
  );
}

type WrittenProps = {
  label: string;
  schema: NonNullable<ReturnType<typeof schemasOfStep>["input"]>;
  filledIn: FilledIn;
  defaults: unknown;
  refused: Record<string, string>;
  onEdit: () => void;
  onSubmit: (value: unknown) => void;
};

function Written(props: WrittenProps) {
  return <ValueForm id={FORM_ID} none="It has no fields." {...props} />;
}

function schemasFor(pipeline: PipelineDetail | undefined, attempt: StepDetail | null) {
  if (attempt === null) return { input: pipeline?.input_schema ?? null, output: null };
  return schemasOfStep(pipeline?.definition, attempt.step_id);
}

type VersionProps = { execution: ExecutionDetail; version: number; onChange: (version: number) => void };

function Version({ execution, version, onChange }: VersionProps) {
  const { data } = useInfiniteQuery(versionsQuery(execution.pipeline_id));
  const ran = execution.pipeline_version;
  const known = data?.pages.flatMap((page) => page.items) ?? [];
  const all = known.some((each) => each.version === ran) ? known : [...known, { version: ran ?? 1, is_current: false }];
  return (
    <Select
      size="xs"
      w={220}
      aria-label="Version"
      allowDeselect={false}
      value={String(version)}
      onChange={(next) => onChange(Number(next))}
      data={all.map((each) => ({
        value: String(each.version),
        label: `v${each.version}${each.version === ran ? ", which it ran" : ""}${each.is_current ? ", the current one" : ""}`,
      }))}
    />
  );
}

type NotFittingProps = {
  error: Error;
  execution: ExecutionDetail;
  onChoose: (attempt: StepDetail | null) => void;
};

/** Why it cannot be run again so, with the earliest step from which it can. */
function NotFitting({ error, execution, onChoose }: NotFittingProps) {
  const misfit = error instanceof ApiError ? error.misfit : null;
  if (!(error instanceof ApiError) || error.isUnanswered) return <QueryFailed what="What would run" error={error} />;
  const from = misfit?.fits_from == null ? null : (newestOf(execution.steps).get(misfit.fits_from) ?? null);
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title="It cannot be run again like this" role="status">
      <Text size="sm">{error.message}</Text>
      {misfit === null ? null : (
        <Button mt="xs" size="compact-sm" variant="default" onClick={() => onChoose(from)}>
          {from === null ? "Run all of it again" : `From ${from.step_name} instead`}
        </Button>
      )}
    </Alert>
  );
}

/** Starts it and goes to see it. The same sent again from the same form starts nothing twice. */
function useRerun(execution: ExecutionDetail) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const keyFor = useRequestKey();
  return useMutation({
    mutationFn: (body: RerunRequest) => rerunExecution(execution.execution_id, body, keyFor(stringifyJson(body))),
    onError: () => focusRefused(FORM_ID),
    onSuccess: (started) => {
      void client.invalidateQueries({ queryKey: executionKeys.lists() });
      void client.invalidateQueries({ queryKey: executionKeys.detail(execution.execution_id) });
      void navigate(`/executions/${encodeURIComponent(started.execution_id)}`);
    },
  });
}
