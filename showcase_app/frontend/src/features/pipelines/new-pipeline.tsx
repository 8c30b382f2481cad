/** A new pipeline: write or paste its definition, save it, and run it. */
import { Alert, Button, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle, IconDeviceFloppy, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useBlocker, useNavigate } from "react-router";
import { failedTitle } from "@/api/client";
import { executionKeys } from "@/api/executions";
import { createPipeline, type Definition, pipelineKeys, startExecution } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { ExecutionOut } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { PageHead } from "@/components/ui/page-head";
import { ServerLink } from "@/components/ui/server-link";
import { pipelineAddress } from "@/domain/addresses";
import { FIRST_PIPELINE } from "@/domain/first-pipeline";
import { stringifyJson } from "@/domain/json";
import { DefinitionEditor } from "./definition-editor";
import { LeaveModal } from "./leave-modal";
import { refusedPlaces } from "./refused-places";
import { ONCE, trialOf } from "./run-once";
import { RunOnceDrawer } from "./run-once-drawer";
import { useAddress } from "./use-address";
import { useDefinitionCheck, whyNotStored } from "./use-definition-check";

const EXAMPLE = stringifyJson(FIRST_PIPELINE, 2);

export function NewPipeline() {
  const [text, setText] = useState(EXAMPLE);
  const check = useDefinitionCheck(text, null);
  const client = useQueryClient();
  const navigate = useNavigate();
  const keyFor = useRequestKey();
  const create = useMutation({
    mutationFn: (definition: Definition) => createPipeline(definition, keyFor(text)),
    onSuccess: (pipeline) => {
      notifications.show({ message: `${pipeline.name} is saved.` });
      void client.invalidateQueries({ queryKey: pipelineKeys.all });
      void navigate(pipelineAddress(pipeline));
    },
  });
  const address = useAddress();
  const trial = address.get(ONCE) === null ? null : trialOf(check);
  const isStored = useRef(false);
  const saveAndStart = async (definition: Definition, input_data: Record<string, unknown>, key: string) => {
    const { id } = await createPipeline(definition, key);
    return startExecution(id, { input_data }, key);
  };
  const goTo = async ({ execution_id, pipeline_id }: ExecutionOut) => {
    isStored.current = true;
    void client.invalidateQueries({ queryKey: pipelineKeys.all });
    void client.invalidateQueries({ queryKey: executionKeys.lists() });
    await navigate(`/pipelines/${pipeline_id}?tab=definition`, { replace: true }); // Back leads to what was saved
    await navigate(`/executions/${execution_id}`);
  };
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) =>
      text !== EXAMPLE && !create.isSuccess && !isStored.current && currentLocation.pathname !== nextLocation.pathname,
  );
  const why = useWhyReadOnly() ?? whyNotStored(check);
  return (
    <>
      <PageHead
        title="New pipeline"
        actions={
          <>
            <Tooltip label={why} disabled={why === null} multiline maw={280}>
              <Button
                variant="light"
                leftSection={<IconPlayerPlay size={16} aria-hidden />}
                data-disabled={why !== null || undefined}
                aria-disabled={why !== null}
                onClick={() => {
                  if (why === null) void navigate(address.with({ [ONCE]: "1" }), { preventScrollReset: true });
                }}
              >
                Save and run
              </Button>
            </Tooltip>
            <Tooltip label={why} disabled={why === null} multiline maw={280}>
              <Button
                leftSection={<IconDeviceFloppy size={16} aria-hidden />}
                loading={create.isPending}
                data-disabled={why !== null || undefined}
                aria-disabled={why !== null}
                onClick={() => {
                  if (why === null && check.definition !== null) create.mutate(check.definition);
                }}
              >
                Save pipeline
              </Button>
            </Tooltip>
          </>
        }
      />
      <Text size="sm" className="quiet" mb="sm">
        Write or paste a definition. Its steps may use the modules that this server allows. The{" "}
        <ServerLink to="/docs" target="_blank" underline="always" inherit>
          API
        </ServerLink>{" "}
        describes the format at <span className="mono">/api/definitions/schema</span>.
      </Text>
      {create.error === null ? null : (
        <Alert
          color="red"
          mb="sm"
          role="alert"
          icon={<IconAlertTriangle aria-hidden />}
          title={failedTitle(create.error, "It was not saved")}
        >
          {create.error.message}
        </Alert>
      )}
      <DefinitionEditor
        text={text}
        onChange={(written) => {
          setText(written);
          if (create.isError) create.reset();
        }}
        check={check}
        pipelineId={null}
        refused={refusedPlaces(create.error, text)}
      />
      <RunOnceDrawer
        title="Save it, and run it once"
        about="It is saved as a pipeline, and its first execution starts. Back leads to its definition."
        input={trial?.input ?? null}
        action="Save and run"
        onClose={() => address.set({ [ONCE]: null })}
        start={async (input_data, key) => saveAndStart(trial?.definition ?? {}, input_data, key)}
        onStarted={goTo}
      />
      <LeaveModal blocker={blocker} />
    </>
  );
}
