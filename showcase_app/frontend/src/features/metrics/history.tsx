/** The window over time, as charts; and the same as a table, whose numbers lead to the executions behind them. */
import { BarChart, LineChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { Anchor, SimpleGrid, Skeleton, Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import type { MetricOut, MetricsHistoryOut } from "@/api/schema.gen";
import { Moment, useTimes } from "@/components/ui/moments";
import { bucketAddress, bucketText, chartRows, percentText, secondsText } from "@/domain/metrics";
import { statusFill, statusWord } from "@/domain/status";
import { momentText } from "@/domain/time";
import classes from "./metrics.module.css";

const CHART_PX = 220;

const MARGIN = { margin: { top: 8, right: 8 } };

const OUTCOMES = [
  { name: "completed", label: statusWord("completed"), color: statusFill("completed") },
  { name: "failed", label: statusWord("failed"), color: statusFill("failed") },
  { name: "cancelled", label: statusWord("cancelled"), color: statusFill("cancelled") },
  { name: "open", label: "Not ended", color: statusFill("running") },
];
const RATE = [{ name: "success_rate", label: "Success rate", color: statusFill("completed") }];
const TIMES = [
  { name: "p50_seconds", label: "p50", color: "var(--ia-chart-first)" },
  { name: "p95_seconds", label: "p95", color: "var(--ia-chart-second)" },
];

type Props = { history: MetricsHistoryOut | undefined; metrics: readonly MetricOut[]; pipelineId: string | undefined };

export function History({ history, metrics, pipelineId }: Props) {
  const navigate = useNavigate();
  const { zone } = useTimes();
  if (history === undefined) return <Skeleton height={300} role="status" aria-label="Reading the history" />;
  const { buckets } = history;
  const rows = chartRows(buckets);
  const target = metrics.find(({ key }) => key === "success_rate")?.target;
  const ofTime = (start: string) => bucketText(start, history, zone);
  const shared = {
    h: CHART_PX,
    data: rows,
    dataKey: "start",
    tickLine: "none",
    gridAxis: "x",
    tooltipProps: { labelFormatter: (start: unknown) => fromText(start, zone) },
    xAxisProps: { tickFormatter: ofTime, minTickGap: 24 },
  } as const;
  const hasRates = rows.some(({ success_rate }) => success_rate !== null);
  const hasTimes = rows.some(({ p50_seconds }) => p50_seconds !== null);
  const hasAny = buckets.some(({ started }) => started > 0);
  return (
    <>
      <SimpleGrid cols={{ base: 1, lg: 3 }} spacing="sm">
        <Chart
          title="Executions started"
          series={OUTCOMES}
          isEmpty={!hasAny}
          empty="No execution started in this window."
        >
          <BarChart
            {...shared}
            type="stacked"
            series={OUTCOMES}
            maxBarWidth={36}
            yAxisProps={{ allowDecimals: false, width: 40 }}
            barProps={{ isAnimationActive: false, cursor: "pointer" }}
            barChartProps={{
              ...MARGIN,
              barCategoryGap: 2,
              onClick: ({ activeLabel }) => {
                const bucket = buckets.find(({ start }) => start === activeLabel);
                if (bucket !== undefined && bucket.started > 0) navigate(bucketAddress(bucket, pipelineId));
              },
            }}
          />
        </Chart>
        <Chart
          title="Success rate"
          series={RATE}
          target={target}
          isEmpty={!hasRates}
          empty="No execution ended in this window."
        >
          <LineChart
            {...shared}
            series={RATE}
            curveType="linear"
            connectNulls={false}
            dotProps={{ r: 2.5 }}
            lineProps={{ isAnimationActive: false }}
            lineChartProps={MARGIN}
            yAxisProps={{ domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], width: 48 }}
            referenceLines={
              target === undefined ? [] : [{ y: target, color: "var(--ia-quiet)", strokeDasharray: "6 4" }]
            }
            valueFormatter={percentText}
          />
        </Chart>
        <Chart
          title="Time to complete"
          series={TIMES}
          isEmpty={!hasTimes}
          empty="No execution completed in this window."
        >
          <LineChart
            {...shared}
            series={TIMES}
            curveType="linear"
            connectNulls={false}
            dotProps={{ r: 2.5 }}
            lineProps={{ isAnimationActive: false }}
            lineChartProps={MARGIN}
            yAxisProps={{ width: 76, tickFormatter: unbroken }}
            valueFormatter={secondsText}
          />
        </Chart>
      </SimpleGrid>
      <details className={`panel ${classes.details}`}>
        <summary>The same as a table</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
        <section className={classes.scrolls} tabIndex={0} aria-label="The history as a table">
          <Table horizontalSpacing="sm" verticalSpacing={4} className="numbers" stickyHeader>
            <Table.Thead>
              <Table.Tr>
                {[
                  "From",
                  "Started",
                  "Completed",
                  "Failed",
                  "Cancelled",
                  "Success",
                  "p50",
                  "p95",
                  "Retries",
                  "Asked a person",
                ].map((name) => (
                  <Table.Th key={name}>{name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {buckets.toReversed().map((bucket) => (
                <Table.Tr key={bucket.start}>
                  <Table.Td>
                    <Moment at={bucket.start} text={momentText(bucket.start, zone, "minute")} />
                  </Table.Td>
                  <Table.Td>
                    {bucket.started === 0 ? (
                      0
                    ) : (
                      <Anchor component={Link} to={bucketAddress(bucket, pipelineId)} inherit>
                        {bucket.started}
                      </Anchor>
                    )}
                  </Table.Td>
                  <Table.Td>{bucket.completed}</Table.Td>
                  <Table.Td>{bucket.failed}</Table.Td>
                  <Table.Td>{bucket.cancelled}</Table.Td>
                  <Table.Td>{bucket.success_rate === null ? "–" : percentText(bucket.success_rate)}</Table.Td>
                  <Table.Td>{secondsText(bucket.p50_seconds)}</Table.Td>
                  <Table.Td>{secondsText(bucket.p95_seconds)}</Table.Td>
                  <Table.Td>{bucket.retries}</Table.Td>
                  <Table.Td>{bucket.human_interventions}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </section>
      </details>
    </>
  );
}

/** The axis would break it into lines. */
function unbroken(seconds: number): string {
  return secondsText(seconds).replaceAll(" ", "\u00a0");
}

/** The moment at which a bucket begins, above its numbers. */
function fromText(start: unknown, zone: string): string {
  return typeof start === "string" ? `From ${momentText(start, zone, "minute")}` : "";
}

function Chart({
  title,
  series,
  target,
  isEmpty,
  empty,
  children,
}: {
  title: string;
  series: readonly { name: string; label: string; color: string }[];
  target?: number;
  isEmpty: boolean;
  empty: string;
  children: ReactNode;
}) {
  return (
    <figure className={`panel ${classes.chart}`} aria-label={title}>
      <figcaption>
        {title}
        <ul className={classes.legend}>
          {(series.length > 1 ? series : []).map(({ name, label, color }) => (
            <li key={name}>
              <span className={classes.swatch} style={{ background: color }} />
              {label}
            </li>
          ))}
          {target === undefined ? null : (
            <li>
              <span className={classes.dashes} />
              target {percentText(target)}
            </li>
          )}
        </ul>
      </figcaption>
      {isEmpty ? (
        <Text size="sm" className={`quiet ${classes.empty}`} style={{ height: CHART_PX }}>
          {empty}
        </Text>
      ) : (
        children
      )}
    </figure>
  );
}
