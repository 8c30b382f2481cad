/** The question before an execution is cancelled: what that would do, or that there is nothing left to cancel. */
import { Alert, Button, Group, Modal, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { failedTitle } from "@/api/client";
import { cancelExecution } from "@/api/executions";
import { pipelineQuery } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { ExecutionDetail } from "@/api/schema.gen";
import { ServerButton } from "@/components/ui/server-button";
import { cancelTexts, whyNotCancelled } from "@/domain/cancelling";

const MOST_CHARACTERS = 1000;

/** Shown for as long as it is there. */
export function CancelModal({ execution, onClose }: { execution: ExecutionDetail; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const keyFor = useRequestKey();
  const version = execution.pipeline_version;
  const { data: pipeline } = useQuery({ ...pipelineQuery(execution.pipeline_id, version), enabled: version !== null });
  const cancel = useMutation({
    mutationFn: () => cancelExecution(execution.execution_id, reason, keyFor(reason)),
    onSuccess: onClose,
    onError: (error) => {
      onClose();
      notifications.show({
        color: "red",
        title: failedTitle(error, "It was not cancelled"),
        message: error.message,
      });
    },
  });
  const why = cancel.isPending ? null : whyNotCancelled(execution);
  return (
    <Modal
      opened
      onClose={onClose}
      title="Cancel this execution?"
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      {why === null ? (
        <>
          {cancelTexts(execution, pipeline).map((text) => (
            <Text key={text} size="sm" mb={6}>
              {text}
            </Text>
          ))}
          <TextInput
            mt="sm"
            label="Why"
            description="For the audit log; may stay empty"
            maxLength={MOST_CHARACTERS}
            value={reason}
            onChange={({ currentTarget }) => setReason(currentTarget.value)}
          />
        </>
      ) : (
        <Alert color="gray" title="There is nothing left to cancel" role="status">
          {why}
        </Alert>
      )}
      <Group justify="flex-end" gap="xs" mt="lg">
        <Button variant="default" onClick={onClose}>
          {why === null ? "Let it run" : "Close"}
        </Button>
        {why === null ? (
          <ServerButton color="red" loading={cancel.isPending} onClick={() => cancel.mutate()} data-autofocus>
            Cancel the execution
          </ServerButton>
        ) : null}
      </Group>
    </Modal>
  );
}
