/** Asks before what was written is lost. */
import { Button, Group, Modal, Text } from "@mantine/core";
import type { Blocker } from "react-router";

export function LeaveModal({ blocker }: { blocker: Blocker }) {
  const stay = () => blocker.reset?.();
  return (
    <Modal
      opened={blocker.state === "blocked"}
      onClose={stay}
      title="Leave without saving?"
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      <Text size="sm">Your changes are not saved and will be lost.</Text>
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={stay} data-autofocus>
          Stay
        </Button>
        <Button color="red" onClick={() => blocker.proceed?.()}>
          Leave
        </Button>
      </Group>
    </Modal>
  );
}
