/** What went into an execution and what came out: shown while no step is selected. */
import { Group, Skeleton, Tabs, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Suspense, useRef } from "react";
import { payloadsQuery } from "@/api/executions";
import { hasOutputQuery, newestOutput } from "@/api/output";
import type { ExecutionDetail } from "@/api/schema.gen";
import { lazyPart } from "@/components/ui/lazy-part";
import type { HeardLines } from "@/domain/log-lines";
import { hasEnded, statusWord } from "@/domain/status";
import classes from "./execution.module.css";
import { Payload } from "./payload";
import type { Selection } from "./use-selection";

const LogView = lazyPart(async () => (await import("./log-view")).LogView);

const Conversation = lazyPart(async () => (await import("./conversation")).Conversation);

const TALK = "conversation";
const TABS = ["output", "input", "metadata", "logs"];

type ExecutionPanelProps = {
  execution: ExecutionDetail;
  selection: Selection;
  heard: HeardLines;
  nameOf: (stepId: string) => string;
};

export function ExecutionPanel({ execution, selection, heard, nameOf }: ExecutionPanelProps) {
  const { data, error, refetch } = useQuery(payloadsQuery(execution.execution_id, execution.status));
  const ended = hasEnded(execution.status);
  const hasTalk = useHasOutput(execution, heard);
  const tabs = hasTalk ? [TALK, ...TABS] : TABS;
  const usual = hasTalk ? TALK : !ended ? "logs" : execution.status === "completed" ? "output" : "input";
  const tab = selection.tab !== null && tabs.includes(selection.tab) ? selection.tab : usual;
  const payload = (label: string, value: unknown, none: string) => (
    <Payload
      label={`${label} of the execution`}
      value={value}
      known={data !== undefined}
      error={error}
      retry={() => void refetch()}
      none={none}
    />
  );
  return (
    <section className={`panel ${classes.panel}`} aria-label="Execution">
      <Group gap="xs" align="baseline">
        <Title order={2}>Execution</Title>
        <Text size="xs" className="quiet">
          Choose a step to see what it did.
        </Text>
      </Group>
      <Tabs
        value={tab}
        onChange={selection.selectTab}
        keepMounted={false}
        mt={4}
        classNames={{ panel: classes.tabPanel, tab: classes.tab }}
      >
        <Tabs.List>
          {hasTalk ? <Tabs.Tab value={TALK}>Conversation</Tabs.Tab> : null}
          <Tabs.Tab value="output">Output</Tabs.Tab>
          <Tabs.Tab value="input">Input</Tabs.Tab>
          <Tabs.Tab value="metadata">Metadata</Tabs.Tab>
          <Tabs.Tab value="logs">Logs</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value={TALK}>
          <Suspense fallback={<Skeleton height={160} role="status" aria-label="The conversation is being read" />}>
            <Conversation execution={execution} heard={heard} nameOf={nameOf} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="output">
          {payload(
            "Output",
            data?.output_data,
            ended ? `It has no output: ${statusWord(execution.status).toLowerCase()}.` : "It has not ended yet.",
          )}
        </Tabs.Panel>
        <Tabs.Panel value="input">{payload("Input", data?.input_data, "It has no input.")}</Tabs.Panel>
        <Tabs.Panel value="metadata">{payload("Metadata", data?.metadata, "It has no metadata.")}</Tabs.Panel>
        <Tabs.Panel value="logs">
          <Suspense fallback={<Skeleton height={160} role="status" aria-label="The log is being read" />}>
            <LogView
              executionId={execution.execution_id}
              of={execution.pipeline_name}
              heard={heard}
              running={!ended}
              steps={execution.steps}
            />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </section>
  );
}

/** Whether any step has given something as it came; what has been shown once stays. */
function useHasOutput({ execution_id, status }: ExecutionDetail, heard: HeardLines): boolean {
  const { data } = useQuery(hasOutputQuery(execution_id, hasEnded(status)));
  const wasThere = useRef(false);
  if (data === true || newestOutput(heard.lines, null) !== null) wasThere.current = true;
  return wasThere.current;
}
