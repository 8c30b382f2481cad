/** Asks before a pipeline is archived. */
import { Button, Group, Modal, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { failedTitle } from "@/api/client";
import { archivePipeline, pipelineKeys } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { PipelineDetail } from "@/api/schema.gen";
import { ServerButton } from "@/components/ui/server-button";

type ArchiveModalProps = { pipeline: PipelineDetail; opened: boolean; onClose: () => void };

export function ArchiveModal({ pipeline, opened, onClose }: ArchiveModalProps) {
  const client = useQueryClient();
  const keyFor = useRequestKey();
  const archive = useMutation({
    mutationFn: () => archivePipeline(pipeline.id, keyFor(pipeline.updated_at)),
    onSuccess: () => {
      notifications.show({ message: `${pipeline.name} is archived.` });
      onClose();
      return client.invalidateQueries({ queryKey: pipelineKeys.all });
    },
    onError: (error) =>
      notifications.show({ color: "red", title: failedTitle(error, "It was not archived"), message: error.message }),
  });
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={`Archive ${pipeline.name}?`}
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      {pipeline.is_active || archive.isPending ? null : (
        <Text size="sm" mb="sm" role="status">
          It has been archived meanwhile: there is nothing left to do.
        </Text>
      )}
      <Text size="sm">
        It keeps its versions and its history, and cannot be started.
        {pipeline.active > 0 ? ` Its ${pipeline.active} active executions go on.` : ""} Saving a new version brings it
        back.
      </Text>
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={onClose} data-autofocus>
          Keep it
        </Button>
        <ServerButton
          color="red"
          disabled={!pipeline.is_active}
          loading={archive.isPending}
          onClick={() => archive.mutate()}
        >
          Archive
        </ServerButton>
      </Group>
    </Modal>
  );
}
