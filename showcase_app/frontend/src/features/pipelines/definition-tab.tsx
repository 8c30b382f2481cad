/** The definition as JSON: read it, change it, try that, save it as a new version. */
import { Alert, Button, Group, Text, TextInput, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle, IconDeviceFloppy, IconPlayerPlay, IconRestore } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useBlocker, useNavigate } from "react-router";
import { runOnce } from "@/api/definitions";
import { executionKeys } from "@/api/executions";
import { type Definition, pipelineKeys, storeVersion } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { ExecutionOut, PipelineDetail } from "@/api/schema.gen";
import { useWhyOnlyLooking, useWhyReadOnly } from "@/api/session";
import { Nothing } from "@/components/ui/notices";
import { stringifyJson } from "@/domain/json";
import { DefinitionEditor } from "./definition-editor";
import { DefinitionReading } from "./definition-reading";
import { LeaveModal } from "./leave-modal";
import { refusedPlaces } from "./refused-places";
import { ONCE, trialOf } from "./run-once";
import { RunOnceDrawer } from "./run-once-drawer";
import { useAddress } from "./use-address";
import { type DefinitionCheck, useDefinitionCheck, whyNotStored } from "./use-definition-check";

export function DefinitionTab({ pipeline }: { pipeline: PipelineDetail }) {
  const onlyLooking = useWhyOnlyLooking() ?? null;
  const { definition, version } = pipeline;
  if (definition === null || version === null) {
    return (
      <div className="panel">
        <Nothing title="It has no definition">Another program runs it and records its executions here.</Nothing>
      </div>
    );
  }
  return onlyLooking === null ? (
    <Editing pipeline={pipeline} definition={definition} />
  ) : (
    <DefinitionReading pipeline={pipeline} definition={definition} version={version} why={onlyLooking} />
  );
}

function Editing({ pipeline, definition }: { pipeline: PipelineDetail; definition: Definition }) {
  const [began, setBegan] = useState(() => beginning(pipeline, definition));
  const [text, setText] = useState(began.text);
  const [note, setNote] = useState("");
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
  const keyFor = useRequestKey();
  const isBeingSaved = useRef(false); // the page that is shown after that is no loss
  const store = useMutation({
    onMutate: () => {
      isBeingSaved.current = true;
    },
    mutationFn: (to: Definition) => {
      const key = keyFor(stringifyJson([text, note, began.base, pipeline.updated_at]));
      return storeVersion(pipeline.id, to, began.base, note.trim() || null, key);
    },
    onSuccess: async (now) => {
      const isCurrent = now.version === now.current_version;
      notifications.show({ color: isCurrent ? undefined : "orange", message: savedText(now, began.base) });
      await client.invalidateQueries({ queryKey: pipelineKeys.all });
      address.set({ version: isCurrent ? null : String(now.version) });
      setText(began.text);
      setNote("");
    },
    onError: () => client.invalidateQueries({ queryKey: pipelineKeys.all }),
    onSettled: () => {
      isBeingSaved.current = false;
    },
  });
  const navigate = useNavigate();
  const trial = address.get(ONCE) === null ? null : trialOf(check);
  const goToTrial = async ({ execution_id, pipeline_version: version }: ExecutionOut) => {
    isBeingSaved.current = true;
    void client.invalidateQueries({ queryKey: pipelineKeys.all });
    void client.invalidateQueries({ queryKey: executionKeys.lists() });
    // Back leads to what was tried.
    const shown = version === pipeline.current_version ? null : String(version);
    await navigate(address.with({ version: shown, [ONCE]: null }), { replace: true });
    await navigate(`/executions/${execution_id}`);
  };
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) => changed && !isBeingSaved.current && leaves(currentLocation, nextLocation),
  );
  const readOnly = useWhyReadOnly();
  const why = readOnly ?? whyNot(changed, pipeline, check);
  const whyNotTried = readOnly ?? (pipeline.is_active ? whyNotStored(check) : "It is archived.");

  return (
    <>
      <Group justify="space-between" mb="sm" gap="sm">
        <Text size="sm" className="quiet">
          {aboutText(pipeline, began.base)}
        </Text>
        <Group gap="xs">
          <TextInput
            size="sm"
            w={240}
            aria-label="What this version is for"
            placeholder="What is it for? (optional)"
            maxLength={500}
            disabled={!changed}
            value={note}
            onChange={({ currentTarget }) => setNote(currentTarget.value)}
          />
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
          <Tooltip label={whyNotTried} disabled={whyNotTried === null} multiline maw={280}>
            <Button
              variant="light"
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
              data-disabled={whyNotTried !== null || undefined}
              aria-disabled={whyNotTried !== null}
              onClick={() => {
                if (whyNotTried === null) void navigate(address.with({ [ONCE]: "1" }), { preventScrollReset: true });
              }}
            >
              Run once
            </Button>
          </Tooltip>
          <Tooltip label={why} disabled={why === null} multiline maw={280}>
            <Button
              leftSection={<IconDeviceFloppy size={16} aria-hidden />}
              loading={store.isPending}
              data-disabled={why !== null || undefined}
              aria-disabled={why !== null}
              onClick={() => {
                if (why === null && check.definition !== null) store.mutate(check.definition);
              }}
            >
              Save version
            </Button>
          </Tooltip>
        </Group>
      </Group>
      {store.error === null ? null : (
        <Alert color="red" mb="sm" role="alert" icon={<IconAlertTriangle aria-hidden />} title="It was not saved">
          {store.error.message}
        </Alert>
      )}
      <DefinitionEditor
        text={text}
        onChange={(written) => {
          setText(written);
          if (store.isError) store.reset();
        }}
        check={check}
        pipelineId={pipeline.id}
        refused={refusedPlaces(store.error, text)}
      />
      <RunOnceDrawer
        title={`Run ${pipeline.name} once, as it is written`}
        about={`What is written is stored as a version that does not become the current one, and runs once. Back leads to it again; version ${pipeline.current_version} stays current.`}
        input={trial?.input ?? null}
        action="Run once"
        onClose={() => address.set({ [ONCE]: null })}
        start={(input_data, key) =>
          runOnce(
            pipeline.id,
            { definition: trial?.definition ?? definition, input_data, note: note.trim() || null },
            key,
          )
        }
        onStarted={goToTrial}
      />
      <LeaveModal blocker={blocker} />
    </>
  );
}

function aboutText({ version, current_version }: PipelineDetail, base: number | null): string {
  if (base !== current_version) {
    return `You began with version ${base}; version ${current_version} is the current one now. What you save is stored beside that.`;
  }
  return version === current_version
    ? `Version ${version}, the current one. What you save becomes the next.`
    : `Version ${version}. What you save from here comes after version ${current_version}.`;
}

function savedText({ version, current_version }: PipelineDetail, base: number | null): string {
  if (version === base) return "Nothing changed: it is the same as before.";
  return version === current_version
    ? `Version ${version} is saved, and current.`
    : `Version ${version} is stored beside version ${current_version}, which became current meanwhile.`;
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
