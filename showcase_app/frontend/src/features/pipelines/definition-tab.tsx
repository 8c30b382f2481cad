/** The definition as JSON: read it, change it, save that as a new version. */
import { Alert, Button, Group, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle, IconDeviceFloppy, IconRestore } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useBlocker } from "react-router";
import { ApiError } from "@/api/client";
import { type Definition, pipelineKeys, storeVersion } from "@/api/pipelines";
import type { PipelineDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { Nothing } from "@/components/ui/notices";
import { stringifyJson } from "@/domain/json";
import { DefinitionEditor } from "./definition-editor";
import { LeaveModal } from "./leave-modal";
import { refusedPlaces } from "./refused-places";
import { useAddress } from "./use-address";
import { type DefinitionCheck, useDefinitionCheck, whyNotStored } from "./use-definition-check";

export function DefinitionTab({ pipeline }: { pipeline: PipelineDetail }) {
  if (pipeline.definition === null) {
    return (
      <div className="panel">
        <Nothing title="It has no definition">Another program runs it and records its executions here.</Nothing>
      </div>
    );
  }
  return <Editing pipeline={pipeline} definition={pipeline.definition} />;
}

function Editing({ pipeline, definition }: { pipeline: PipelineDetail; definition: Definition }) {
  const [began, setBegan] = useState(() => beginning(pipeline, definition));
  const [text, setText] = useState(began.text);
  const changed = text !== began.text;
  if (!changed && (began.version !== pipeline.version || began.base !== pipeline.current_version)) {
    // Somebody else saved a version while nothing was changed here: there is nothing to lose.
    const now = beginning(pipeline, definition);
    setBegan(now);
    setText(now.text);
  }
  const check = useDefinitionCheck(text, pipeline.id);
  const client = useQueryClient();
  const address = useAddress();
  const store = useMutation({
    mutationFn: ({ to, onto }: { to: Definition; onto: number | null }) => storeVersion(pipeline.id, to, onto),
    onSuccess: async (now, { onto }) => {
      const isSame = now.current_version === onto;
      notifications.show({
        message: isSame
          ? "Nothing changed: it is the same as before."
          : `Version ${now.version} is saved, and current.`,
      });
      await client.invalidateQueries({ queryKey: pipelineKeys.all });
      address.set({ version: null });
      setText(began.text);
    },
    onError: () => client.invalidateQueries({ queryKey: pipelineKeys.all }),
  });
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) => changed && !store.isPending && leaves(currentLocation, nextLocation),
  );
  const conflict =
    store.error instanceof ApiError && store.error.status === 409 && pipeline.current_version !== began.base;
  const why = useWhyReadOnly() ?? whyNot(changed, pipeline, check);

  return (
    <>
      <Group justify="space-between" mb="sm" gap="sm">
        <Text size="sm" className="quiet">
          {pipeline.version === pipeline.current_version
            ? `Version ${pipeline.version}, the current one. What you save becomes the next.`
            : `Version ${pipeline.version}. What you save from here comes after version ${pipeline.current_version}.`}
        </Text>
        <Group gap="xs">
          <Button
            variant="default"
            leftSection={<IconRestore size={16} aria-hidden />}
            disabled={!changed}
            onClick={() => {
              setText(began.text);
              store.reset();
            }}
          >
            Undo all
          </Button>
          <Tooltip label={why} disabled={why === null} multiline maw={280}>
            <Button
              leftSection={<IconDeviceFloppy size={16} aria-hidden />}
              loading={store.isPending}
              data-disabled={why !== null || undefined}
              aria-disabled={why !== null}
              onClick={() => {
                if (why === null && check.definition !== null) store.mutate({ to: check.definition, onto: began.base });
              }}
            >
              Save version
            </Button>
          </Tooltip>
        </Group>
      </Group>
      {store.error === null ? null : (
        <Alert
          color="red"
          mb="sm"
          role="alert"
          icon={<IconAlertTriangle aria-hidden />}
          title={conflict ? "Somebody else saved a version meanwhile" : "It was not saved"}
        >
          <Text size="sm">
            {conflict
              ? `You began with version ${began.base}; version ${pipeline.current_version} is the current one now. Look at what changed in it, or save yours after it.`
              : store.error.message}
          </Text>
          {conflict ? (
            <Group gap="xs" mt="sm">
              <Button
                size="compact-sm"
                variant="default"
                component="a"
                target="_blank"
                href={`?tab=versions&from=${began.base}&to=${pipeline.current_version}`}
              >
                What changed
              </Button>
              <Button
                size="compact-sm"
                color="red"
                onClick={() => {
                  if (check.definition !== null) store.mutate({ to: check.definition, onto: pipeline.current_version });
                }}
              >
                Save mine after it
              </Button>
            </Group>
          ) : null}
        </Alert>
      )}
      <DefinitionEditor
        text={text}
        onChange={(written) => {
          setText(written);
          if (store.isError) store.reset();
        }}
        check={check}
        refused={refusedPlaces(store.error, text)}
      />
      <LeaveModal blocker={blocker} />
    </>
  );
}

/** What the editing starts from; `base` is what was current then, so that a version stored meanwhile is a conflict. */
function beginning(pipeline: PipelineDetail, definition: Definition) {
  return {
    text: stringifyJson(definition, 2),
    version: pipeline.version,
    base: pipeline.current_version,
  };
}

type Place = { pathname: string; search: string };

/** Whether what is written would be lost: another page, tab or version. */
function leaves(now: Place, next: Place): boolean {
  const [before, after] = [new URLSearchParams(now.search), new URLSearchParams(next.search)];
  return (
    now.pathname !== next.pathname ||
    before.get("tab") !== after.get("tab") ||
    before.get("version") !== after.get("version")
  );
}

function whyNot(changed: boolean, pipeline: PipelineDetail, check: DefinitionCheck): string | null {
  const isNews = changed || pipeline.version !== pipeline.current_version || !pipeline.is_active;
  if (!isNews) return "There is no change to save.";
  return whyNotStored(check);
}
