/** The input with which what is written in the editor runs once; and starting it. */
import { Alert, Button, Group } from "@mantine/core";
import { IconAlertTriangle, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { ApiError, failedTitle } from "@/api/client";
import type { RunInput } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { ExecutionOut } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { stringifyJson } from "@/domain/json";
import { AskBeforeClosing } from "./ask-before-closing";
import classes from "./pipelines.module.css";
import { ONCE } from "./run-once";
import type { DefinitionInput } from "./use-definition-check";
import { focusRefused, refusedFields, ShownAs, useFilledIn, ValueForm } from "./value-form";

const FORM_ID = "run-once-form";

export type RunOnceFormProps = {
  input: DefinitionInput;
  /** The same key starts nothing twice. */
  start: (input_data: RunInput, idempotencyKey: string) => Promise<ExecutionOut>;
  /** Goes to see it. */
  onStarted: (execution: ExecutionOut) => Promise<void>;
  action: string;
};

export function RunOnceForm({ input, start, onStarted, action }: RunOnceFormProps) {
  const filledIn = useFilledIn(input.defaults);
  const keyFor = useRequestKey();
  const why = useWhyReadOnly();
  const starting = useMutation({
    mutationFn: (input_data: RunInput) => start(input_data, keyFor(stringifyJson(input_data))),
    onError: () => focusRefused(FORM_ID),
    onSuccess: onStarted,
  });
  const refused = starting.error instanceof ApiError ? refusedFields(starting.error, "input_data") : {};
  const failure = Object.keys(refused).length === 0 || filledIn.shown === "json" ? starting.error : null;
  return (
    <>
      <Group gap="sm" mb="md">
        <ShownAs filledIn={filledIn} />
      </Group>
      <ValueForm
        id={FORM_ID}
        label="Input as JSON"
        schema={input.schema}
        filledIn={filledIn}
        defaults={input.defaults}
        refused={refused}
        none="This pipeline has no parameters: it just runs."
        onEdit={() => starting.reset()}
        onSubmit={(input_data) => starting.mutate(input_data as RunInput)}
      />
      {filledIn.isTyped ? <AskBeforeClosing param={ONCE} /> : null}
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
        <Group justify="flex-end">
          <Button
            type="submit"
            form={FORM_ID}
            data-autofocus
            leftSection={<IconPlayerPlay size={16} aria-hidden />}
            loading={starting.isPending}
            disabled={why !== null || filledIn.isBroken}
            title={why ?? undefined}
          >
            {action}
          </Button>
        </Group>
      </div>
    </>
  );
}
