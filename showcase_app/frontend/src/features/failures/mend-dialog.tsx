/** By which version a group of failures is mended. */
import { Button, Group, Modal, NativeSelect, Skeleton, Stack, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { versionsQuery } from "@/api/pipelines";
import type { FailureOut } from "@/api/schema.gen";
import { useNow, useTimes } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { ServerButton } from "@/components/ui/server-button";
import { shownText } from "@/domain/time";

type MendDialogProps = { failure: FailureOut; onClose: () => void; onMend: (version: number) => void };

export function MendDialog({ failure, onClose, onMend }: MendDialogProps) {
  const { data, error, refetch } = useInfiniteQuery(versionsQuery(failure.pipeline_id));
  const [chosen, setChosen] = useState<number | null>(null);
  const now = useNow();
  const times = useTimes();
  const versions = data?.pages.flatMap((page) => page.items);
  const version = chosen ?? versions?.[0]?.version ?? null;
  return (
    <Modal
      opened
      onClose={onClose}
      title={<b>Mark as mended</b>}
      closeButtonProps={{ "aria-label": "Close the dialog" }}
    >
      <Stack gap="sm">
        <Text size="sm">It is open again as soon as this version or a later one fails so.</Text>
        {error !== null ? (
          <QueryFailed what="The versions" error={error} retry={() => void refetch()} />
        ) : versions === undefined ? (
          <Skeleton height={60} role="status" aria-label="Reading the versions" />
        ) : versions.length === 0 ? (
          <Text size="sm" role="status">
            {failure.pipeline_name} has no versions: a program records it. Mute the failures instead.
          </Text>
        ) : (
          <NativeSelect
            label={`Version of ${failure.pipeline_name}`}
            data={versions.map((each) => ({
              value: String(each.version),
              label: `v${each.version}, saved ${shownText(each.created_at, times, now)}${each.is_current ? ", current" : ""}`,
            }))}
            value={version === null ? "" : String(version)}
            onChange={(event) => setChosen(Number(event.currentTarget.value))}
            data-autofocus
          />
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <ServerButton disabled={version === null} onClick={() => version !== null && onMend(version)}>
            {version === null ? "Mark as mended" : `Mended by v${version}`}
          </ServerButton>
        </Group>
      </Stack>
    </Modal>
  );
}
