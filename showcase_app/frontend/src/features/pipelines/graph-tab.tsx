/** The graph of a version, below it the facts of the step that is selected, and the newest executions. */
import { Anchor, CloseButton, Group, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { graphQuery } from "@/api/pipelines";
import type { GraphNode, PipelineDetail } from "@/api/schema.gen";
import { JsonView } from "@/components/ui/json-view";
import { Duration, Moment } from "@/components/ui/moments";
import { Nothing, QueryFailed } from "@/components/ui/notices";
import { StatusBadge } from "@/components/ui/status-badge";
import { stepFacts } from "@/domain/step-facts";
import { GraphView } from "@/features/graph/graph-view";
import { StepFinder } from "@/features/graph/step-finder";
import classes from "./pipelines.module.css";
import { whyNotRun } from "./run-button";
import { useAddress } from "./use-address";

const WAITING_HEIGHT = 300;

export function GraphTab({ pipeline }: { pipeline: PipelineDetail }) {
  return (
    <Stack gap="md">
      {pipeline.version === null ? (
        <div className="panel">
          <Nothing title="It has no definition">Another program runs it and records its executions here.</Nothing>
        </div>
      ) : (
        <VersionGraph pipeline={pipeline} version={pipeline.version} />
      )}
      <Newest pipeline={pipeline} />
    </Stack>
  );
}

function VersionGraph({ pipeline, version }: { pipeline: PipelineDetail; version: number }) {
  const address = useAddress();
  const { data: graph, error, refetch } = useQuery(graphQuery(pipeline.id, version));
  const selected = address.get("step");
  const isCovered = address.get("run") !== null && whyNotRun(pipeline) === null; // by the form that runs it
  const [isWanted, setWanted] = useState(!isCovered);
  if (!isCovered && !isWanted) setWanted(true);
  if (error !== null) return <QueryFailed what="The graph" error={error} retry={() => void refetch()} />;
  if (graph === undefined || !isWanted) return <Skeleton height={WAITING_HEIGHT} radius="md" />;
  const node = graph.nodes.find((each) => each.id === selected);
  return (
    <>
      <StepFinder
        steps={graph.nodes}
        statusOf={noStatus}
        selected={selected}
        onSelect={(step) => address.set({ step })}
      />
      <GraphView graph={graph} selected={selected} onSelect={(step) => address.set({ step })} />
      {node === undefined ? null : (
        <StepFacts node={node} definition={pipeline.definition} onClose={() => address.set({ step: null })} />
      )}
    </>
  );
}

/** Nothing runs here. */
const noStatus = () => undefined;

type StepFactsProps = { node: GraphNode; definition: PipelineDetail["definition"]; onClose: () => void };

function StepFacts({ node, definition, onClose }: StepFactsProps) {
  const written = writtenStep(definition, node);
  return (
    <aside className={`panel ${classes.step}`} aria-label="The selected step">
      <Group justify="space-between" wrap="nowrap" align="flex-start" mb="xs">
        <div>
          <Title order={2}>{node.name}</Title>
          {node.description === null ? null : (
            <Text size="sm" className="quiet">
              {node.description}
            </Text>
          )}
        </div>
        <CloseButton aria-label="Close the step" onClick={onClose} />
      </Group>
      <div className={classes.stepColumns}>
        <dl className={classes.facts}>
          {stepFacts(node).map(([what, value]) => (
            <div key={what} style={{ display: "contents" }}>
              <dt>{what}</dt>
              <dd className={["Id", "Module", "Class"].includes(what) ? "mono" : undefined}>{value}</dd>
            </div>
          ))}
        </dl>
        {written === undefined ? null : (
          <JsonView key={node.id} value={written} label={`Definition of ${node.name}`} maxHeight={220} />
        )}
      </div>
    </aside>
  );
}

function writtenStep(definition: PipelineDetail["definition"], node: GraphNode): unknown {
  const steps: unknown = definition?.steps;
  return Array.isArray(steps) ? steps.find((step: { id?: unknown }) => step.id === node.id) : undefined;
}

const SHOWN = 8;

function Newest({ pipeline }: { pipeline: PipelineDetail }) {
  const newest = pipeline.recent.slice(-SHOWN).reverse();
  return (
    <section className="panel" aria-labelledby="newest">
      <Group justify="space-between" px="md" py="sm">
        <Title order={2} id="newest">
          Newest executions
        </Title>
        <Anchor component={Link} to={`/executions?pipeline_id=${pipeline.id}`} size="sm">
          All of them
        </Anchor>
      </Group>
      {newest.length === 0 ? (
        <Nothing title="It has not run yet" />
      ) : (
        <Table.ScrollContainer minWidth={300}>
          <Table highlightOnHover verticalSpacing={7} horizontalSpacing="md">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Status</Table.Th>
                <Table.Th>Created</Table.Th>
                <Table.Th>Took</Table.Th>
                <Table.Th visibleFrom="sm">Execution</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {newest.map((execution) => (
                <Table.Tr key={execution.execution_id}>
                  <Table.Td>
                    <Anchor component={Link} to={`/executions/${execution.execution_id}`} underline="never">
                      <StatusBadge status={execution.status} />
                    </Anchor>
                  </Table.Td>
                  <Table.Td>
                    <Moment at={execution.created_at} />
                  </Table.Td>
                  <Table.Td>
                    <Duration start={execution.started_at} end={execution.completed_at} />
                  </Table.Td>
                  <Table.Td visibleFrom="sm">
                    <Anchor component={Link} to={`/executions/${execution.execution_id}`} className="mono">
                      {execution.execution_id}
                    </Anchor>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </section>
  );
}
