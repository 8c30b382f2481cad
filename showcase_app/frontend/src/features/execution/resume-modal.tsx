/** The question before an execution goes on, with what would run. */
import { Alert, Button, Group, Modal, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { IconPlayerTrackNext } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { failedTitle } from "@/api/client";
import { executionKeys, resumeExecution, resumePlanQuery } from "@/api/executions";
import { useRequestKey } from "@/api/request-key";
import type { ExecutionDetail } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import { ServerButton } from "@/components/ui/server-button";
import { AheadView } from "./ahead-view";

const MOST_CHARACTERS = 1000;

type ResumeModalProps = {
  execution: ExecutionDetail;
  /** Why it cannot be resumed any more; null: it can. */
  whyNot: string | null;
  onClose: () => void;
};

/** Shown for as long as it is there. */
export function ResumeModal({ execution, whyNot, onClose }: ResumeModalProps) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const plan = useQuery(resumePlanQuery(execution.execution_id));
  const keyFor = useRequestKey();
  const resume = useMutation({
    mutationFn: () => resumeExecution(execution.execution_id, reason, keyFor(reason)),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: executionKeys.lists() });
      void client.invalidateQueries({ queryKey: executionKeys.detail(execution.execution_id) });
      onClose();
    },
  });
  const whyNow = resume.isPending ? null : whyNot;
  const nameOf = (stepId: string) => execution.steps.find((step) => step.step_id === stepId)?.step_name ?? stepId;
  return (
    <Modal
      opened
      onClose={onClose}
      title={<b>Resume this execution</b>}
      size={760}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack gap="sm">
        <Text size="sm">
          The same execution goes on where it stopped, with the version that it began with and the same idempotency
          keys. What had failed gets all its attempts anew.
        </Text>
        {plan.isError ? (
          <QueryFailed what="What would run" error={plan.error} retry={() => void plan.refetch()} />
        ) : plan.data === undefined ? (
          <Skeleton height={200} role="status" aria-label="What would run is being looked for" />
        ) : (
          <AheadView plan={plan.data} execution={execution} version={execution.pipeline_version ?? 1} nameOf={nameOf} />
        )}
        <TextInput
          label="Why"
          description="For the audit log; may stay empty"
          maxLength={MOST_CHARACTERS}
          value={reason}
          onChange={({ currentTarget }) => setReason(currentTarget.value)}
        />
        {whyNow === null ? null : (
          <Alert color="gray" title="It cannot be resumed now" role="status">
            {whyNow}
          </Alert>
        )}
        {resume.isError ? (
          <Alert color="red" title={failedTitle(resume.error, "It was not resumed")} role="alert">
            {resume.error.message}
          </Alert>
        ) : null}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <ServerButton
            leftSection={<IconPlayerTrackNext size={16} aria-hidden />}
            loading={resume.isPending}
            disabled={plan.isError || whyNow !== null}
            onClick={() => resume.mutate()}
          >
            Resume
          </ServerButton>
        </Group>
      </Stack>
    </Modal>
  );
}
