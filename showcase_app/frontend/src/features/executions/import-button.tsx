/** Takes a run file into the database: which one, and then what it brought, or why it was refused. */
import { Alert, Anchor, Button, FileInput, Group, List, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconFileImport } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Link } from "react-router";
import { executionKeys } from "@/api/executions";
import { useRequestKey } from "@/api/request-key";
import { importRunFile } from "@/api/run-files";
import type { ImportedRunOut } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { ServerButton } from "@/components/ui/server-button";
import { importedText, MOST_FILE_BYTES } from "@/domain/run-files";
import { shortId } from "@/domain/runs";
import { bytesText } from "@/domain/time";
import { Explained } from "@/features/execution/explained";
import classes from "./executions.module.css";

export function ImportButton() {
  const whyNot = useWhyReadOnly();
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Explained why={whyNot}>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconFileImport size={15} aria-hidden />}
          disabled={whyNot !== null}
          onClick={open}
        >
          Take in a run file
        </Button>
      </Explained>
      {opened ? <ImportModal onClose={close} /> : null}
    </>
  );
}

function ImportModal({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const keyFor = useRequestKey();
  const isAgain = useRef(false);
  const taking = useMutation({
    mutationFn: (sent: File) =>
      importRunFile(sent, keyFor(JSON.stringify([sent.name, sent.size, sent.lastModified, isAgain.current]))),
    onSuccess: () => {
      isAgain.current = true; // whoever asks once more sees that it is here
      return client.invalidateQueries({ queryKey: executionKeys.all });
    },
  });
  const isTooLarge = file !== null && file.size > MOST_FILE_BYTES;
  const problem = isTooLarge
    ? `It is too large to be sent. Take it in on the server: ia-modules executions import ${file.name}`
    : taking.error?.message;
  return (
    <Modal
      opened
      onClose={onClose}
      title={<b>Take in a run file</b>}
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack gap="sm">
        <Text size="sm">
          Its executions come as copies: to read, compare and run again, never to go on with. What is here already is
          left as it is. Code that its definitions name must be here, and allowed.
        </Text>
        <FileInput
          label="Run file"
          description={`NAME.iarun, of at most ${bytesText(MOST_FILE_BYTES)}`}
          placeholder="Choose a file"
          accept=".iarun"
          clearable
          clearButtonProps={{ "aria-label": "Choose none" }}
          value={file}
          error={problem === undefined ? undefined : <span className={classes.refusal}>{problem}</span>}
          disabled={taking.isPending}
          onChange={(chosen) => {
            setFile(chosen);
            taking.reset();
          }}
        />
        {taking.data === undefined ? null : <Brought imported={taking.data} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          <ServerButton
            leftSection={<IconFileImport size={16} aria-hidden />}
            disabled={file === null || isTooLarge}
            loading={taking.isPending}
            onClick={() => file !== null && taking.mutate(file)}
          >
            Take it in
          </ServerButton>
        </Group>
      </Stack>
    </Modal>
  );
}

function Brought({ imported }: { imported: ImportedRunOut }) {
  const { went_on, lost_aliases, rows_sha256, inside } = imported;
  return (
    <Alert
      color="teal"
      title={importedText(imported)}
      role="status"
      styles={{ label: { color: "var(--mantine-color-text)" } }}
    >
      <List size="sm" spacing={2}>
        {[...imported.imported, ...imported.already_here].map((id) => (
          <List.Item key={id}>
            <Anchor component={Link} to={`/executions/${encodeURIComponent(id)}`} className="mono" title={id}>
              {shortId(id)}
            </Anchor>
            {id === imported.execution_id ? ", the run that it is the file of" : ", which that one comes from"}
            {went_on.includes(id) ? ": it had not ended, and went on elsewhere" : ""}
          </List.Item>
        ))}
      </List>
      <Text size="sm" mt={6}>
        Inside: {inside}. SHA-256 of its rows: <span className="mono">{rows_sha256}</span>
      </Text>
      {lost_aliases.length === 0 ? null : (
        <Text size="sm" mt={6}>
          Callers' ids that stand for other executions here, and so were left out: {lost_aliases.join(", ")}
        </Text>
      )}
    </Alert>
  );
}
