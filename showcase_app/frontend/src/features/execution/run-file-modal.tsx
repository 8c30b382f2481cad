/** An execution as a file to take along: what will be in it is said before it is made. */
import { Alert, Button, Checkbox, Group, Modal, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { runFileOf, runFilePlanQuery } from "@/api/run-files";
import type { ExecutionDetail } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import { ServerButton } from "@/components/ui/server-button";
import type { RunFileChoice } from "@/domain/run-files";
import { bytesText } from "@/domain/time";
import { saveFile } from "./save-file";

const EVERYTHING: RunFileChoice = { payloads: true, logs: true, lineage: false };

/** Shown for as long as it is there. */
export function RunFileModal({ execution, onClose }: { execution: ExecutionDetail; onClose: () => void }) {
  const [choice, setChoice] = useState(EVERYTHING);
  const plan = useQuery({ ...runFilePlanQuery(execution.execution_id, choice), placeholderData: keepPreviousData });
  const download = useMutation({
    mutationFn: () => runFileOf(execution.execution_id, choice),
    onSuccess: ({ file }) => saveFile(file),
  });
  const choose = (part: keyof RunFileChoice) => (isWanted: boolean) => {
    setChoice((before) => ({ ...before, [part]: isWanted }));
    download.reset();
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={<b>Download as run file</b>}
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack gap="sm">
        <Text size="sm">
          One file with everything on record about this execution: its definition, every attempt, its questions and who
          answered them. <code>ia-modules serve FILE</code> shows it anywhere, without the database and the code.
        </Text>
        <Choice
          label="Inputs, outputs and other payloads"
          why="Without them: no metadata, prompts, data of questions and answers either"
          isWanted={choice.payloads}
          onChange={choose("payloads")}
        />
        <Choice label="Log lines" isWanted={choice.logs} onChange={choose("logs")} />
        <Choice
          label="The executions that it comes from"
          why="Those that it repeats, and those that it was started by; otherwise it refers to none"
          isWanted={choice.lineage}
          onChange={choose("lineage")}
        />
        {plan.isError ? (
          <QueryFailed what="What would be inside" error={plan.error} retry={() => void plan.refetch()} />
        ) : (
          <Text size="sm" role="status" aria-busy={plan.isFetching}>
            <b>Inside:</b> {plan.data === undefined ? "…" : `${plan.data.runs}; ${plan.data.inside}.`}
          </Text>
        )}
        <Text size="sm" className="quiet">
          Whoever has the file can read all of that: nothing is masked, and error messages and tracebacks are always in
          it. Hosts, processes and workers never are. That you made it goes into the audit log.
        </Text>
        {download.isError ? (
          <Alert color="red" title="There is no file" role="alert">
            {download.error.message}
          </Alert>
        ) : download.data === undefined ? null : (
          <Alert
            color="teal"
            title={`${download.data.file.name}, ${bytesText(download.data.file.size)}`}
            role="status"
            styles={{ label: { color: "var(--mantine-color-text)" } }}
          >
            SHA-256 of its rows: <span className="mono">{download.data.rows_sha256}</span>
          </Alert>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          <ServerButton
            leftSection={<IconDownload size={16} aria-hidden />}
            loading={download.isPending}
            onClick={() => download.mutate()}
          >
            Download
          </ServerButton>
        </Group>
      </Stack>
    </Modal>
  );
}

type ChoiceProps = { label: string; why?: string; isWanted: boolean; onChange: (isWanted: boolean) => void };

function Choice({ label, why, isWanted, onChange }: ChoiceProps) {
  return (
    <Checkbox
      size="sm"
      label={label}
      description={why}
      checked={isWanted}
      onChange={({ currentTarget }) => onChange(currentTarget.checked)}
    />
  );
}
