/** The input of an execution: a form made from the pipeline's parameters, or the same as JSON; and starting it. */
import { Alert, Button, Group, SegmentedControl, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { ApiError, failedTitle } from "@/api/client";
import { executionKeys } from "@/api/executions";
import { pipelineKeys, type RunInput, startExecution } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { PipelineDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { MomentField } from "@/components/ui/moment-field";
import { stringifyJson } from "@/domain/json";
import { isMoment } from "@/domain/written-time";
import { AskBeforeClosing } from "./ask-before-closing";
import classes from "./pipelines.module.css";
import { whyNotRun } from "./run-button";
import { focusRefused, refusedFields, ShownAs, useFilledIn, ValueForm } from "./value-form";

const FORM_ID = "run-form";
const NO_SCHEMA = {};
type Filling = "defaults" | "last";

export function RunForm({ pipeline }: { pipeline: PipelineDetail }) {
  const [filling, setFilling] = useState<Filling>("defaults");
  const filledIn = useFilledIn(pipeline.default_input);
  const [startAt, setStartAt] = useState<string>(); // at once, where there is none
  const startInput = useRef<HTMLInputElement>(null);
  const isHalf = startAt !== undefined && !isMoment(startAt); // and half of a time is none
  const why = useWhyReadOnly() ?? whyNotRun(pipeline);
  const start = useStart(pipeline, startAt ?? null);
  useEffect(focusFirst, []);
  const refused = start.error instanceof ApiError ? refusedFields(start.error, "input_data") : {};
  const failure = Object.keys(refused).length === 0 || filledIn.shown === "json" ? start.error : null;

  const fill = (how: Filling) => {
    setFilling(how);
    filledIn.fill(how === "last" ? (pipeline.last_input ?? {}) : pipeline.default_input);
    start.reset();
  };
  return (
    <>
      <Group gap="sm" mb="md">
        <SegmentedControl
          size="xs"
          aria-label="Fill in"
          value={filling}
          onChange={(how) => fill(how as Filling)}
          data={[
            { value: "defaults", label: "Defaults" },
            { value: "last", label: "Last input", disabled: pipeline.last_input === null },
          ]}
        />
        <ShownAs filledIn={filledIn} />
      </Group>
      <ValueForm
        id={FORM_ID}
        label="Input as JSON"
        schema={pipeline.input_schema ?? NO_SCHEMA}
        filledIn={filledIn}
        defaults={pipeline.default_input}
        refused={refused}
        none="This pipeline has no parameters: it just runs."
        onEdit={() => start.reset()}
        onSubmit={(input_data) => {
          if (isHalf) startInput.current?.focus();
          else start.mutate(input_data as RunInput);
        }}
      />
      {filledIn.isTyped || startAt !== undefined ? <AskBeforeClosing param="run" /> : null}
      <div className={classes.drawerFoot}>
        {failure === null ? null : (
          <Alert
            color="red"
            icon={<IconAlertTriangle aria-hidden />}
            title={failedTitle(failure, "It was not started")}
            mb="sm"
            role="alert"
          >
            {failure.message}
          </Alert>
        )}
        <Group justify="space-between" align="flex-end">
          <MomentField
            ref={startInput}
            label="Start at"
            description="Empty: at once"
            size="xs"
            w={232}
            form={FORM_ID}
            value={startAt}
            onChange={setStartAt}
          />
          <Tooltip label={why} disabled={why === null}>
            <Button
              type="submit"
              form={FORM_ID}
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
              loading={start.isPending}
              disabled={why !== null || filledIn.isBroken}
            >
              {startAt === undefined ? "Run" : "Run later"}
            </Button>
          </Tooltip>
        </Group>
      </div>
    </>
  );
}

/** Begin in the first field, or at what runs it where there is none. The drawer looks for the mark, sooner or later. */
function focusFirst(): void {
  const field = document.querySelector<HTMLElement>(`#${FORM_ID} :is(input:not([type="hidden"]), textarea, select)`);
  const first = field ?? document.querySelector<HTMLElement>(`button[form="${FORM_ID}"]`);
  first?.setAttribute("data-autofocus", "");
  first?.focus({ preventScroll: true });
}

/** Starts it and goes to see it. The same input sent again from the same form starts nothing twice. */
function useStart(pipeline: PipelineDetail, run_at: string | null) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const keyFor = useRequestKey();
  return useMutation({
    mutationFn: (input_data: RunInput) => {
      const version = pipeline.version ?? undefined;
      const key = keyFor(stringifyJson([input_data, run_at]));
      return startExecution(pipeline.id, { input_data, version, run_at }, key);
    },
    onError: () => focusRefused(FORM_ID),
    onSuccess: (execution) => {
      void client.invalidateQueries({ queryKey: pipelineKeys.all });
      void client.invalidateQueries({ queryKey: executionKeys.lists() });
      void navigate(`/executions/${execution.execution_id}`);
    },
  });
}
