/** Others are asked instead of those whom a question is assigned to: they are on holiday. Off with the reason. */
import { Alert, Button, Group, Modal, Stack, TagsInput, Text, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError, failedTitle } from "@/api/client";
import { assignInteraction, interactionKeys } from "@/api/interactions";
import { useRequestKey } from "@/api/request-key";
import type { InteractionDetail } from "@/api/schema.gen";
import { sessionQuery, useWhyReadOnly } from "@/api/session";
import { ServerButton } from "@/components/ui/server-button";
import { outcomeText, questionStatusWord } from "@/domain/questions";

export function AskOthers({ question }: { question: InteractionDetail }) {
  const why = useWhyReadOnly();
  const [opened, { open, close }] = useDisclosure(false);
  const isOpen = question.status === "pending";
  return (
    <>
      {isOpen ? (
        <Tooltip label={why} disabled={why === null} multiline maw={280}>
          <Button
            variant="default"
            size="compact-xs"
            data-disabled={why !== null || undefined}
            aria-disabled={why !== null}
            onClick={(event) => {
              if (why !== null) event.preventDefault();
              else open();
            }}
          >
            Ask others…
          </Button>
        </Tooltip>
      ) : null}
      {opened ? <AssignModal question={question} onClose={close} /> : null}
    </>
  );
}

function AssignModal({ question, onClose }: { question: InteractionDetail; onClose: () => void }) {
  const client = useQueryClient();
  const { data: session } = useQuery(sessionQuery);
  const [names, setNames] = useState([...new Set(question.assigned_users ?? [])]);
  const keyFor = useRequestKey();
  const assign = useMutation({
    mutationFn: () => assignInteraction(question.interaction_id, names, keyFor(JSON.stringify(names))),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: interactionKeys.all });
      onClose();
    },
  });
  const atField = assign.error instanceof ApiError ? assign.error.fields.assigned_users : undefined;
  return (
    <Modal opened onClose={onClose} title={<b>Ask others</b>} closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="sm">
        <Text size="sm">
          They may answer from here on, and nobody else by name. Answers so far stay; where they are enough now, that
          decides it. Who has done this goes into the audit log.
        </Text>
        <TagsInput
          label="Names"
          description={`${session?.keys_required ? "Of keys" : "As they say them"}; Enter after each. None: anybody may.`}
          data={[]}
          value={names}
          error={atField}
          acceptValueOnBlur
          data-autofocus
          onChange={(now) => {
            setNames(now);
            assign.reset();
          }}
        />
        {question.status === "pending" || assign.isPending ? null : (
          <Alert color="gray" title="Nobody is asked any more" role="status">
            {outcomeText(question) ?? questionStatusWord(question.status)}
          </Alert>
        )}
        {assign.isError && atField === undefined ? (
          <Alert color="red" title={failedTitle(assign.error, "Nobody else is asked")} role="alert">
            {assign.error.message}
          </Alert>
        ) : null}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <ServerButton
            disabled={question.status !== "pending"}
            loading={assign.isPending}
            onClick={() => assign.mutate()}
          >
            Ask them
          </ServerButton>
        </Group>
      </Stack>
    </Modal>
  );
}
