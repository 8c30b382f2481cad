/** The slowest steps, and each pipeline for itself. */
import { Anchor, Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { MetricsReportOut } from "@/api/schema.gen";
import { percentText, secondsText } from "@/domain/metrics";
import classes from "./metrics.module.css";

export function StepTable({ report: { steps } }: { report: MetricsReportOut }) {
  const longest = Math.max(...steps.map(({ p95_seconds }) => p95_seconds ?? 0));
  return (
    <Panel
      title="Slowest steps"
      names={["Step", "p95", "p50", "Runs", "Failed", "Retries"]}
      empty="No step ended"
      rows={steps}
    >
      {steps.map((step) => (
        <Table.Tr key={`${step.pipeline_id} ${step.step_id}`}>
          <Table.Td className={classes.named}>
            <Text size="sm" fw={550} title={step.step_id}>
              {step.step_id}
            </Text>
            <Anchor
              component={Link}
              to={`/pipelines/${step.pipeline_id}`}
              size="xs"
              className="quiet"
              title={step.pipeline_name}
            >
              {step.pipeline_name}
            </Anchor>
          </Table.Td>
          <Table.Td className={classes.long}>
            {secondsText(step.p95_seconds)}
            <span
              className={classes.meter}
              style={{ width: `${longest > 0 ? (100 * (step.p95_seconds ?? 0)) / longest : 0}%` }}
            />
          </Table.Td>
          <Table.Td>{secondsText(step.p50_seconds)}</Table.Td>
          <Table.Td>{step.runs}</Table.Td>
          <Table.Td data-bad={step.failed > 0 || undefined}>{step.failed}</Table.Td>
          <Table.Td>{step.retries}</Table.Td>
        </Table.Tr>
      ))}
    </Panel>
  );
}

export function PipelineTable({ report: { pipelines, since } }: { report: MetricsReportOut }) {
  const addressOf = (pipeline_id: string) =>
    `/executions?${new URLSearchParams({ pipeline_id, ...(since === null ? {} : { started_after: since }) })}`;
  return (
    <Panel
      title="Pipelines"
      names={["Pipeline", "Executions", "Success", "p50", "p95"]}
      empty="No execution started"
      rows={pipelines}
    >
      {pipelines.map((pipeline) => (
        <Table.Tr key={pipeline.pipeline_id}>
          <Table.Td className={classes.named}>
            <Anchor
              component={Link}
              to={`/pipelines/${pipeline.pipeline_id}`}
              size="sm"
              fw={550}
              title={pipeline.pipeline_name}
            >
              {pipeline.pipeline_name}
            </Anchor>
          </Table.Td>
          <Table.Td>
            <Anchor component={Link} to={addressOf(pipeline.pipeline_id)} inherit>
              {pipeline.executions.toLocaleString("en")}
            </Anchor>
          </Table.Td>
          <Table.Td>{pipeline.success_rate === null ? "–" : percentText(pipeline.success_rate)}</Table.Td>
          <Table.Td>{secondsText(pipeline.p50_seconds)}</Table.Td>
          <Table.Td>{secondsText(pipeline.p95_seconds)}</Table.Td>
        </Table.Tr>
      ))}
    </Panel>
  );
}

function Panel({
  title,
  names,
  empty,
  rows,
  children,
}: {
  title: string;
  names: readonly string[];
  empty: string;
  rows: readonly unknown[];
  children: ReactNode;
}) {
  return (
    <section className={`panel ${classes.tablePanel}`} aria-label={title}>
      <h2>{title}</h2>
      {rows.length === 0 ? (
        <Text size="sm" className="quiet" pb="md">
          {empty} in this window.
        </Text>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <div className={classes.scrolls} tabIndex={0}>
          <Table verticalSpacing={5} horizontalSpacing="sm" className="numbers" stickyHeader>
            <Table.Thead>
              <Table.Tr>
                {names.map((name) => (
                  <Table.Th key={name}>{name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>{children}</Table.Tbody>
          </Table>
        </div>
      )}
    </section>
  );
}
