/** Numbers: each metric against its target, how long executions took, how many there were. */
import { Anchor, Group, Text, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconCircleDashed } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { MetricOut, MetricsReportOut } from "@/api/schema.gen";
import { amountText, secondsText, targetText } from "@/domain/metrics";
import { EXECUTION_STATUSES, statusFill, statusWord } from "@/domain/status";
import classes from "./metrics.module.css";

const SHORT: Readonly<Record<MetricOut["key"], string>> = {
  success_rate: "SR",
  compensation_rate: "CR",
  plan_churn: "PC",
  human_intervention_rate: "HIR",
};

const COUNTED: Readonly<Record<MetricOut["key"], (metric: MetricOut) => string>> = {
  success_rate: ({ numerator, denominator }) => `${numerator} of ${denominator} completed`,
  compensation_rate: ({ numerator, denominator }) => `${numerator} of ${denominator} step runs`,
  plan_churn: ({ numerator, denominator }) => `${numerator} retries in ${denominator} executions`,
  human_intervention_rate: ({ numerator, denominator }) => `${numerator} of ${denominator} asked a person`,
};

export function MetricTile({ metric, window }: { metric: MetricOut; window: MetricsReportOut["window"] }) {
  const { value, unit } = metric;
  return (
    <section className={`panel ${classes.tile}`} aria-label={metric.name}>
      <Text size="sm" fw={600} component="div">
        {metric.name} <Short word={SHORT[metric.key]} meaning={metric.description} />
      </Text>
      <Group justify="space-between" align="baseline" gap="xs">
        <Text className={`${classes.value} numbers`}>{value === null ? "–" : amountText(value, unit)}</Text>
        <Verdict met={metric.met} />
      </Group>
      <Text size="xs" className="quiet">
        Target: {targetText(metric)}
      </Text>
      <Text size="xs">
        {value === null ? (
          <span className="quiet">
            {metric.key === "compensation_rate" ? "No step ended" : "No execution ended"}
            {window === "all" ? " yet" : " in this window"}
          </span>
        ) : (
          <Anchor component={Link} to={`/executions?${metric.executions_query}`} inherit className="numbers">
            {COUNTED[metric.key](metric)}
            {metric.key === "success_rate" ? ", see those that failed" : ""}
          </Anchor>
        )}
      </Text>
    </section>
  );
}

/** A short name, and what it stands for under the pointer, at the focus and by a tap. */
function Short({ word, meaning }: { word: string; meaning: string }) {
  return (
    <Tooltip label={meaning} multiline maw={320} events={{ hover: true, focus: true, touch: true }}>
      <button type="button" className={`quiet ${classes.short}`} aria-label={`${word}: what it stands for`}>
        {word}
      </button>
    </Tooltip>
  );
}

function Verdict({ met }: { met: boolean | null }) {
  const [Icon, word, name] =
    met === null
      ? ([IconCircleDashed, "No data", "none"] as const)
      : met
        ? ([IconCircleCheck, "Met", "met"] as const)
        : ([IconAlertTriangle, "Not met", "missed"] as const);
  return (
    <span className={classes.verdict} data-verdict={name}>
      <Icon size={15} stroke={2.2} aria-hidden />
      {word}
    </span>
  );
}

export function Completion({ report: { completion } }: { report: MetricsReportOut }) {
  return (
    <section className={`panel ${classes.tile}`} aria-label="Time to complete">
      <Text size="sm" fw={600} component="div">
        Time to complete{" "}
        <Short
          word="WCT"
          meaning="Workflow completion time: from the start of an execution to its end, of those that completed. p95: 95 of 100 took no longer."
        />
      </Text>
      {completion.count === 0 ? (
        <Text size="sm" className="quiet" py="sm">
          No execution completed in this window.
        </Text>
      ) : (
        <dl className={classes.figures}>
          <Figure name="p50" value={secondsText(completion.p50_seconds)} />
          <Figure name="p95" value={secondsText(completion.p95_seconds)} />
          <Figure name="p99" value={secondsText(completion.p99_seconds)} />
          <Figure name="mean" value={secondsText(completion.mean_seconds)} />
        </dl>
      )}
      <Text size="xs" className="quiet numbers">
        {completion.count === 0 ? "" : `Of ${completion.count.toLocaleString("en")} that completed`}
      </Text>
    </section>
  );
}

export function Volume({ report }: { report: MetricsReportOut }) {
  const addressOf = (status?: string) => {
    const address = new URLSearchParams();
    if (status !== undefined) address.set("status", status);
    if (report.pipeline_id !== null) address.set("pipeline_id", report.pipeline_id);
    if (report.since !== null) address.set("started_after", report.since);
    return `/executions?${address}`;
  };
  const counted = EXECUTION_STATUSES.map((status) => ({ status, count: report.by_status[status] ?? 0 })).filter(
    ({ count }) => count > 0,
  );
  return (
    <section className={`panel ${classes.tile}`} aria-label="How many">
      <Text size="sm" fw={600}>
        Executions
      </Text>
      <dl className={classes.figures}>
        <Figure
          name="started"
          value={
            <Anchor component={Link} to={addressOf()} inherit>
              {report.executions.toLocaleString("en")}
            </Anchor>
          }
        />
        <Figure name="ended" value={report.ended.toLocaleString("en")} />
        <Figure
          name="ended per hour"
          value={report.throughput_per_hour === null ? "–" : perHourText(report.throughput_per_hour)}
        />
        <Figure name="retries" value={report.retries.toLocaleString("en")} />
      </dl>
      <Group gap="sm">
        {counted.map(({ status, count }) => (
          <Anchor
            key={status}
            component={Link}
            to={addressOf(status)}
            size="xs"
            className={`${classes.status} numbers`}
          >
            <span className={classes.swatch} style={{ background: statusFill(status) }} />
            {statusWord(status)} {count.toLocaleString("en")}
          </Anchor>
        ))}
      </Group>
    </section>
  );
}

function perHourText(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en");
}

function Figure({ name, value }: { name: string; value: ReactNode }) {
  return (
    <div>
      <dt className="quiet">{name}</dt>
      <dd className="numbers">{value}</dd>
    </div>
  );
}
