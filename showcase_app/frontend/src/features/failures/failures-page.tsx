/** Failures: what failed alike, how often and where; muted, marked as mended, or run again from here. */
import { SegmentedControl, Select, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useSearchParams } from "react-router";
import { failureKeys, failuresQuery } from "@/api/failures";
import { useInvalidatedByExecutions } from "@/api/live-list";
import { LiveMark } from "@/components/ui/live-mark";
import { Nothing, QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { TIME_WINDOWS } from "@/domain/execution-filters";
import { FAILURE_STATES, type FailureFilters, failureFilters } from "@/domain/failures";
import { PipelineSelect } from "@/features/executions/pipeline-select";
import { FailureRow } from "./failure-row";
import classes from "./failures.module.css";

const READ_EVERY_MS = 5000;
const KEYS = [failureKeys.all];
const WINDOWS = Object.entries(TIME_WINDOWS).map(([value, { label }]) => ({ value, label }));
const STATES = [{ value: "", label: "All" }, ...FAILURE_STATES];

export function Component() {
  const [address, setAddress] = useSearchParams();
  const filters = useMemo(() => failureFilters(address), [address]);
  const { data: page, error, refetch, isPlaceholderData } = useQuery(failuresQuery(filters));
  const live = useInvalidatedByExecutions(KEYS, READ_EVERY_MS);
  const change = (name: keyof FailureFilters, value: string | undefined) =>
    setAddress((before) => {
      const next = new URLSearchParams(before);
      if (value === undefined || value === "") next.delete(name);
      else next.set(name, value);
      return next;
    });

  return (
    <>
      <PageHead title="Failures" beside={<LiveMark state={live} />} />
      <div className={classes.filters}>
        <SegmentedControl
          aria-label="State"
          size="sm"
          data={STATES}
          value={filters.state ?? ""}
          onChange={(value) => change("state", value)}
        />
        <PipelineSelect
          className={classes.choice}
          value={filters.pipeline_id}
          onChange={(id) => change("pipeline_id", id)}
        />
        <Select
          className={classes.choice}
          aria-label="Failed"
          data={WINDOWS}
          value={filters.window}
          onChange={(value) => change("window", value ?? undefined)}
          allowDeselect={false}
        />
      </div>
      {error !== null ? <QueryFailed what="The failures" error={error} retry={() => void refetch()} /> : null}
      {page === undefined ? (
        error === null ? (
          <Waiting />
        ) : null
      ) : page.items.length === 0 ? (
        <div className="panel">
          <Nothing title={filters.state === undefined ? "Nothing failed" : "No failures are so"}>
            {TIME_WINDOWS[filters.window].label}
            {filters.pipeline_id === undefined ? ", in any pipeline." : ", in this pipeline."}
          </Nothing>
        </div>
      ) : (
        <>
          <ul className={classes.rows} data-previous={isPlaceholderData || undefined} aria-label="Groups of failures">
            {page.items.map((failure) => (
              <li key={failure.id}>
                <FailureRow failure={failure} since={page.since} window={filters.window} />
              </li>
            ))}
          </ul>
          {page.more ? (
            <Text size="sm" className="quiet" ta="center" py="sm">
              These are the {page.items.length} that failed last. There are others: choose a pipeline or a shorter time.
            </Text>
          ) : null}
        </>
      )}
    </>
  );
}

function Waiting() {
  return (
    <Stack gap="sm" role="status" aria-label="Reading the failures">
      {["a", "b", "c", "d"].map((key) => (
        <Skeleton key={key} height={92} />
      ))}
    </Stack>
  );
}
