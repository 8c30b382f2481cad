/** What can be done to an execution. A disabled action gives the reason. */
import { Button, Group, Modal, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { IconArrowsDiff, IconPlayerStop, IconPlayerTrackNext, IconRefresh } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { cancelExecution } from "@/api/executions";
import { pipelineQuery } from "@/api/pipelines";
import { useRequestKey } from "@/api/request-key";
import type { ExecutionDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { compareAddress } from "@/domain/comparison";
import { whyNotRerun, whyNotResumed } from "@/domain/second-chances";
import { hasEnded, statusWord } from "@/domain/status";
import { Explained } from "./explained";
import { ExportMenu } from "./export-menu";
import { RerunDrawer } from "./rerun-drawer";
import { ResumeModal } from "./resume-modal";
import { useOpened } from "./use-opened";

export function ExecutionActions({ execution }: { execution: ExecutionDetail }) {
  return (
    <Group gap="xs">
      <Cancel execution={execution} />
      <SecondChances execution={execution} />
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
      <ExportMenu execution={execution} />
    </Group>
  );
}

const MOST_CHARACTERS = 1000;

function Cancel({ execution }: { execution: ExecutionDetail }) {
  const readOnly = useWhyReadOnly();
  const [asking, { open, close }] = useDisclosure(false);
  const [reason, setReason] = useState("");
  const keyFor = useRequestKey();
  const cancel = useMutation({
    mutationFn: () => cancelExecution(execution.execution_id, reason, keyFor(reason)),
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
          Steps that run are stopped, and no other step begins. What the steps have done so far is not undone. It can be
          resumed later, from where it stopped, or run again.
        </Text>
        <TextInput
          mt="sm"
          label="Why"
          description="For the audit log; may stay empty"
          maxLength={MOST_CHARACTERS}
          value={reason}
          onChange={({ currentTarget }) => setReason(currentTarget.value)}
        />
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

function SecondChances({ execution }: { execution: ExecutionDetail }) {
  const readOnly = useWhyReadOnly();
  const version = execution.pipeline_version;
  const { data: pipeline } = useQuery({ ...pipelineQuery(execution.pipeline_id, version), enabled: version !== null });
  const resume = useOpened("resume");
  const rerun = useOpened("rerun");
  const whyNoResume = readOnly ?? whyNotResumed(execution, pipeline);
  const whyNoRerun = readOnly ?? whyNotRerun(execution, pipeline);
  return (
    <>
      <Explained why={whyNoResume ?? "The same execution goes on where it stopped"}>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlayerTrackNext size={15} aria-hidden />}
          disabled={whyNoResume !== null}
          onClick={resume.open}
        >
          Resume
        </Button>
      </Explained>
      <Explained why={whyNoRerun ?? "Once more from its start, as a new execution"}>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconRefresh size={15} aria-hidden />}
          disabled={whyNoRerun !== null}
          onClick={rerun.open}
        >
          Re-run
        </Button>
      </Explained>
      {resume.isOpen && whyNoResume === null ? <ResumeModal execution={execution} onClose={resume.close} /> : null}
      {rerun.isOpen && whyNoRerun === null ? (
        <RerunDrawer execution={execution} attempt={null} onClose={rerun.close} />
      ) : null}
    </>
  );
}
