/** What can be done to an execution. A disabled action gives the reason. */
import { Button, Group, Modal, Text, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { IconArrowsDiff, IconDownload, IconPlayerStop, IconRefresh } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import { cancelExecution, executionKeys, exportAddress, rerunExecution } from "@/api/executions";
import type { ExecutionDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { compareAddress } from "@/domain/comparison";
import { hasEnded, statusWord } from "@/domain/status";

export function ExecutionActions({ execution }: { execution: ExecutionDetail }) {
  return (
    <Group gap="xs">
      <Cancel execution={execution} />
      <Rerun execution={execution} />
      <Explained why="With the last good one: the newest before it that completed">
        <Button
          component={Link}
          to={compareAddress(execution.execution_id)}
          variant="default"
          size="xs"
          leftSection={<IconArrowsDiff size={15} aria-hidden />}
        >
          Compare
        </Button>
      </Explained>
      <Button
        component="a"
        href={exportAddress(execution.execution_id)}
        download
        variant="default"
        size="xs"
        leftSection={<IconDownload size={15} aria-hidden />}
      >
        Export
      </Button>
    </Group>
  );
}

function Cancel({ execution }: { execution: ExecutionDetail }) {
  const readOnly = useWhyReadOnly();
  const [asking, { open, close }] = useDisclosure(false);
  const cancel = useMutation({
    mutationFn: () => cancelExecution(execution.execution_id),
    onSuccess: close,
    onError: (error) => {
      close();
      notifications.show({ color: "red", title: "It was not cancelled", message: error.message });
    },
  });
  const why =
    readOnly ??
    (hasEnded(execution.status)
      ? `It has ended already: ${statusWord(execution.status).toLowerCase()}.`
      : execution.cancel_requested
        ? "It is being cancelled: its worker stops it in a moment."
        : null);
  return (
    <>
      <Explained why={why}>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlayerStop size={15} aria-hidden />}
          disabled={why !== null}
          onClick={open}
        >
          {execution.cancel_requested && !hasEnded(execution.status) ? "Cancelling…" : "Cancel"}
        </Button>
      </Explained>
      <Modal opened={asking} onClose={close} title="Cancel this execution?" centered>
        <Text size="sm">
          Steps that run are stopped, and no other step begins. What the steps have done so far is not undone. You can
          re-run the execution later, but not continue it.
        </Text>
        <Group justify="flex-end" gap="xs" mt="lg">
          <Button variant="default" onClick={close}>
            Let it run
          </Button>
          <Button color="red" loading={cancel.isPending} onClick={() => cancel.mutate()} data-autofocus>
            Cancel the execution
          </Button>
        </Group>
      </Modal>
    </>
  );
}

function Rerun({ execution }: { execution: ExecutionDetail }) {
  const readOnly = useWhyReadOnly();
  const client = useQueryClient();
  const navigate = useNavigate();
  const rerun = useMutation({
    mutationFn: () => rerunExecution(execution.execution_id),
    onSuccess: (started) => {
      void client.invalidateQueries({ queryKey: executionKeys.lists() });
      void client.invalidateQueries({ queryKey: executionKeys.detail(execution.execution_id) });
      navigate(`/executions/${encodeURIComponent(started.execution_id)}`);
    },
    onError: (error) => notifications.show({ color: "red", title: "It was not run again", message: error.message }),
  });
  const why =
    readOnly ??
    (execution.pipeline_version === null
      ? "A program recorded it, without a definition: only that program can run it again."
      : null);
  return (
    <Explained why={why ?? "The same version with the same input, as a new execution"}>
      <Button
        variant="default"
        size="xs"
        leftSection={<IconRefresh size={15} aria-hidden />}
        loading={rerun.isPending}
        disabled={why !== null}
        onClick={() => rerun.mutate()}
      >
        Re-run
      </Button>
    </Explained>
  );
}

/** A tooltip that also comes up, and can be focused, where the button inside is disabled. */
function Explained({ why, children }: { why: string | null; children: ReactNode }) {
  return (
    <Tooltip label={why} disabled={why === null} multiline maw={280} openDelay={150}>
      <span>{children}</span>
    </Tooltip>
  );
}
