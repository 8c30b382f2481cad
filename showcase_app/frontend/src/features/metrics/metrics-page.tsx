/** Metrics: how it went in a window of time, against the targets; every number leads to the executions behind it. */
import { SegmentedControl, SimpleGrid, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";
import { useInvalidatedByExecutions } from "@/api/live-list";
import { historyQuery, metricsKeys, reportQuery, windowUsageQuery } from "@/api/metrics";
import { LiveMark } from "@/components/ui/live-mark";
import { QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { METRIC_WINDOWS, windowOf, windowWords } from "@/domain/metrics";
import { PipelineSelect } from "@/features/executions/pipeline-select";
import { History } from "./history";
import classes from "./metrics.module.css";
import { PipelineTable, StepTable } from "./tables";
import { Completion, MetricTile, Volume } from "./tiles";
import { WindowUsage } from "./usage";

const READ_EVERY_MS = 5000;
const KEYS = [metricsKeys.all];

export function Component() {
  const [address, setAddress] = useSearchParams();
  const window = windowOf(address.get("window"));
  const pipeline_id = address.get("pipeline_id") ?? undefined;
  const filters = { window, pipeline_id };
  const report = useQuery(reportQuery(filters));
  const history = useQuery(historyQuery(filters));
  const usage = useQuery(windowUsageQuery(filters));
  const live = useInvalidatedByExecutions(KEYS, READ_EVERY_MS);

  const change = (name: string, value: string | undefined) =>
    setAddress((before) => {
      const next = new URLSearchParams(before);
      if (value === undefined) next.delete(name);
      else next.set(name, value);
      return next;
    });

  return (
    <>
      <PageHead
        title="Metrics"
        beside={<LiveMark state={live} />}
        actions={
          <>
            <PipelineSelect value={pipeline_id} onChange={(id) => change("pipeline_id", id)} />
            <SegmentedControl
              aria-label="Window of time"
              size="xs"
              data={METRIC_WINDOWS.map(({ value, label }) => ({ value, label }))}
              value={window}
              onChange={(value) => change("window", value)}
            />
          </>
        }
      />
      {report.isError ? <QueryFailed what="The metrics" error={report.error} retry={() => report.refetch()} /> : null}
      {report.data === undefined ? (
        report.isError ? null : (
          <Waiting />
        )
      ) : (
        <div className={classes.page} data-previous={report.isPlaceholderData || undefined}>
          <SimpleGrid cols={{ base: 2, lg: 4 }} spacing="sm">
            {report.data.metrics.map((metric) => (
              <MetricTile key={metric.key} metric={metric} window={report.data.window} />
            ))}
          </SimpleGrid>
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
            <Completion report={report.data} />
            <Volume report={report.data} />
          </SimpleGrid>
          {history.isError ? (
            <QueryFailed what="The history" error={history.error} retry={() => history.refetch()} />
          ) : (
            <History history={history.data} metrics={report.data.metrics} pipelineId={pipeline_id} />
          )}
          {usage.isError ? (
            <QueryFailed what="What models used" error={usage.error} retry={() => usage.refetch()} />
          ) : (
            <WindowUsage usage={usage.data} />
          )}
          <SimpleGrid cols={{ base: 1, xl: 2 }} spacing="sm">
            <StepTable report={report.data} />
            <PipelineTable report={report.data} />
          </SimpleGrid>
          <Text size="xs" className="quiet">
            Of the executions that started in {windowWords(report.data.window)}.
            {report.data.sampled
              ? ` Times, steps and the compensation rate are of the newest ${report.data.sample_size.toLocaleString("en")} of them; all else is of all.`
              : ""}
          </Text>
        </div>
      )}
    </>
  );
}

function Waiting() {
  return (
    <div className={classes.page} role="status" aria-label="Reading the metrics">
      <SimpleGrid cols={{ base: 2, lg: 4 }} spacing="sm">
        {["a", "b", "c", "d"].map((key) => (
          <Skeleton key={key} height={132} />
        ))}
      </SimpleGrid>
      <Skeleton height={116} />
      <Skeleton height={300} />
    </div>
  );
}
