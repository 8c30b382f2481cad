/** Asks before what was written is lost. */
import { Button, Group, Modal, Text } from "@mantine/core";
import type { Blocker } from "react-router";

type LeaveModalProps = { blocker: Blocker; title?: string; lost?: string; leave?: string };

export function LeaveModal({
  blocker,
  title = "Leave without saving?",
  lost = "Your changes are not saved and will be lost.",
  leave = "Leave",
}: LeaveModalProps) {
  const stay = () => blocker.reset?.();
  return (
    <Modal
      opened={blocker.state === "blocked"}
      onClose={stay}
      title={title}
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      <Text size="sm">{lost}</Text>
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={stay} data-autofocus>
          Stay
        </Button>
        <Button color="red" onClick={() => blocker.proceed?.()}>
          {leave}
        </Button>
      </Group>
    </Modal>
  );
}
