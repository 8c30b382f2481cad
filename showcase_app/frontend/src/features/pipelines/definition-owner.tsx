/** Who owns a pipeline's definition, and each version that is in conflict with the current one, to choose between. */
import { Alert, Button, Group, Stack, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconArrowsDiff, IconGitFork } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { failedTitle } from "@/api/client";
import { makeCurrent, pipelineKeys } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { PipelineDetail, StoredBesideOut } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { besideSentence, ownerSentence } from "@/domain/definition-owner";
import classes from "./pipelines.module.css";
import { useAddress } from "./use-address";

export function OwnerLine({ pipeline }: { pipeline: PipelineDetail }) {
  const sentence = ownerSentence(pipeline);
  return sentence === null ? null : (
    <Text size="xs" className={`quiet ${classes.owner}`} mt={4}>
      {sentence}
    </Text>
  );
}

/** Nothing where there is no conflict. */
export function Conflicts({ pipeline }: { pipeline: PipelineDetail }) {
  const { beside } = pipeline.owner;
  if (beside.length === 0) return null;
  return (
    <Stack gap="xs" mt="md">
      {beside.map((each) => (
        <Conflict key={each.version} pipeline={pipeline} beside={each} />
      ))}
    </Stack>
  );
}

function Conflict({ pipeline, beside }: { pipeline: PipelineDetail; beside: StoredBesideOut }) {
  const current = pipeline.current_version;
  const address = useAddress();
  if (current === null) return null;
  return (
    <Alert
      color="orange"
      icon={<IconGitFork aria-hidden />}
      title={`Version ${beside.version} stands beside version ${current}`}
      styles={{ title: { color: "var(--ia-differs-text)" }, message: { color: "var(--mantine-color-text)" } }}
    >
      <Text size="sm" className={classes.owner}>
        {besideSentence(beside, pipeline)}
      </Text>
      <Group gap="xs" mt="sm">
        <Button
          size="compact-sm"
          variant="default"
          component={Link}
          leftSection={<IconArrowsDiff size={15} aria-hidden />}
          to={address.with({ tab: "versions", from: String(current), to: String(beside.version), version: null })}
        >
          What differs
        </Button>
        <MakeCurrentButton
          pipeline={pipeline}
          version={beside.version}
          label={`Make version ${beside.version} current`}
        />
        <MakeCurrentButton pipeline={pipeline} version={current} label={`Keep version ${current}`} />
      </Group>
    </Alert>
  );
}

type MakeCurrentButtonProps = { pipeline: PipelineDetail; version: number; label: string };

/** Chooses a version over the current one that is shown; refused where that is another by now. */
export function MakeCurrentButton({ pipeline, version, label }: MakeCurrentButtonProps) {
  const client = useQueryClient();
  const why = useWhyReadOnly();
  const keyFor = useRequestKey();
  const choose = useMutation({
    mutationFn: () =>
      makeCurrent(pipeline.id, version, pipeline.current_version, keyFor(`${version} ${pipeline.updated_at}`)),
    onSuccess: () => notifications.show({ message: `Version ${version} is the current one.` }),
    onError: (error) =>
      notifications.show({ color: "red", title: failedTitle(error, "Nothing was chosen"), message: error.message }),
    onSettled: () => client.invalidateQueries({ queryKey: pipelineKeys.all }),
  });
  return (
    <Tooltip label={why} disabled={why === null} multiline maw={280}>
      <Button
        size="compact-sm"
        variant="default"
        loading={choose.isPending}
        data-disabled={why !== null || undefined}
        aria-disabled={why !== null}
        onClick={() => {
          if (why === null) choose.mutate();
        }}
      >
        {label}
      </Button>
    </Tooltip>
  );
}
