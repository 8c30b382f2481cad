/** A new pipeline: write or paste its definition. */
import { Alert, Button, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle, IconDeviceFloppy } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useBlocker, useNavigate } from "react-router";
import { failedTitle } from "@/api/client";
import { createPipeline, pipelineKeys } from "@/api/pipelines";
import { useWhyReadOnly } from "@/api/session";
import { PageHead } from "@/components/ui/page-head";
import { ServerLink } from "@/components/ui/server-link";
import { pipelineAddress } from "@/domain/addresses";
import { stringifyJson } from "@/domain/json";
import { DefinitionEditor } from "./definition-editor";
import { LeaveModal } from "./leave-modal";
import { refusedPlaces } from "./refused-places";
import { useDefinitionCheck, whyNotStored } from "./use-definition-check";

/** Small and whole: one parameter, one step, two ends. It needs no module, so that every server can run it. */
const EXAMPLE = stringifyJson(
  {
    name: "My first pipeline",
    slug: "my-first-pipeline",
    description: "What it is for, in one sentence.",
    parameters: [
      {
        name: "amount",
        description: "What is ordered, in euros.",
        schema: { type: "number", title: "Amount", minimum: 0 },
        default: 20,
      },
    ],
    steps: [
      {
        id: "decide",
        name: "Is it a large order?",
        type: "condition",
        conditions: [{ field: "amount", operator: ">=", value: 100 }],
      },
    ],
    flow: {
      start_at: "decide",
      paths: [
        { from: "decide", to: "end_large", condition: { type: "condition" } },
        { from: "decide", to: "end_small", condition: "else" },
      ],
    },
  },
  2,
);

export function Component() {
  const [text, setText] = useState(EXAMPLE);
  const check = useDefinitionCheck(text, null);
  const client = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: createPipeline,
    onSuccess: (pipeline) => {
      notifications.show({ message: `${pipeline.name} is saved.` });
      void client.invalidateQueries({ queryKey: pipelineKeys.all });
      void navigate(pipelineAddress(pipeline));
    },
  });
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) =>
      text !== EXAMPLE && !create.isSuccess && currentLocation.pathname !== nextLocation.pathname,
  );
  const why = useWhyReadOnly() ?? whyNotStored(check);
  return (
    <>
      <PageHead
        title="New pipeline"
        actions={
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
        refused={refusedPlaces(create.error, text)}
      />
      <LeaveModal blocker={blocker} />
    </>
  );
}
