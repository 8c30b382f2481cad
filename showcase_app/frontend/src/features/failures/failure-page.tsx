/** One group of failures: what it is, when and where it failed, what people say of it, and its newest executions. */
import { Anchor, Group, Select, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useLocation, useSearchParams } from "react-router";
import { ApiError } from "@/api/client";
import { newestExecutionsQuery } from "@/api/executions";
import { failureKeys, failureQuery } from "@/api/failures";
import { useInvalidatedByExecutions } from "@/api/live-list";
import type { FailureOut } from "@/api/schema.gen";
import { LiveMark } from "@/components/ui/live-mark";
import { Moment } from "@/components/ui/moments";
import { NotThere, QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { nameIn } from "@/domain/addresses";
import { TIME_WINDOWS, type TimeWindow } from "@/domain/execution-filters";
import { countedSince, executionsText, failedAddress, failureWindow } from "@/domain/failures";
import { shortId } from "@/domain/runs";
import { ErrorText } from "./error-text";
import { FailureActions } from "./failure-actions";
import classes from "./failures.module.css";
import { StateBadge } from "./state-badge";
import { Trend } from "./trend";

const READ_EVERY_MS = 5000;
const KEYS = [failureKeys.all];
const WINDOWS = Object.entries(TIME_WINDOWS).map(([value, { label }]) => ({ value, label }));
const SHOWN_EXECUTIONS = 5;

export function Component() {
  const failureId = nameIn(useLocation().pathname);
  const [address, setAddress] = useSearchParams();
  const window = failureWindow(address);
  const { data: failure, error, refetch } = useQuery(failureQuery(failureId, window));
  const live = useInvalidatedByExecutions(KEYS, READ_EVERY_MS);
  const isUnknown = error instanceof ApiError && error.status === 404;
  return (
    <>
      <PageHead
        title={failure === undefined ? "Failures" : failure.error_type || "Failures"}
        beside={
          <>
            {failure === undefined ? null : <StateBadge failure={failure} />}
            <LiveMark state={live} />
          </>
        }
        actions={
          <Select
            aria-label="Failed"
            data={WINDOWS}
            value={window}
            onChange={(value) => setAddress(value === null ? {} : { window: value }, { replace: true })}
            allowDeselect={false}
          />
        }
      />
      {failure !== undefined && !isUnknown ? (
        <Failure failure={failure} window={window} />
      ) : error === null ? (
        <Stack role="status" aria-label="Reading the failures">
          <Skeleton height={120} />
          <Skeleton height={180} />
        </Stack>
      ) : isUnknown ? (
        <NotThere
          title="There are no such failures"
          why="They were deleted with their executions, or their address is not whole."
          to="/failures"
          others="All failures"
        />
      ) : (
        <QueryFailed what="The failures" error={error} retry={() => void refetch()} />
      )}
    </>
  );
}

function Failure({ failure, window }: { failure: FailureOut; window: TimeWindow }) {
  const since = countedSince(failure);
  const pipeline = `/pipelines/${encodeURIComponent(failure.pipeline_id)}`;
  return (
    <div className={classes.group}>
      <section className={`panel ${classes.message}`} aria-label="What failed">
        <Text component="p" size="sm" className={classes.whole}>
          <ErrorText failure={failure} />
        </Text>
        {since === undefined ? null : <FailureActions failure={failure} since={since} />}
      </section>
      <dl className={classes.list}>
        <Fact name="Pipeline">
          <Anchor component={Link} to={pipeline} inherit>
            {failure.pipeline_name}
          </Anchor>
        </Fact>
        <Fact name="Step">
          {failure.step_id === "" ? (
            <span className="quiet">none failed</span>
          ) : (
            <Anchor component={Link} to={`${pipeline}?${new URLSearchParams({ step: failure.step_id })}`} inherit>
              {failure.step_id}
            </Anchor>
          )}
        </Fact>
        <Fact name={TIME_WINDOWS[window].label}>
          {since === undefined ? (
            executionsText(failure.count)
          ) : (
            <Anchor component={Link} to={failedAddress(failure.id, since)} inherit>
              {executionsText(failure.count)}
            </Anchor>
          )}
        </Fact>
        <Fact name="Versions">
          {failure.versions.length === 0 ? <span className="quiet">–</span> : <Versions failure={failure} />}
        </Fact>
        <Fact name="First">
          <Moment at={failure.first_at} />
        </Fact>
        <Fact name="Last">
          {failure.last_at === null ? <span className="quiet">deleted</span> : <Moment at={failure.last_at} />}
        </Fact>
      </dl>
      <Said failure={failure} />
      <figure className={`panel ${classes.history}`}>
        <Trend trend={failure.trend} height={96} />
        <figcaption className="quiet">
          <span>{since === undefined ? "" : <Moment at={since} />}</span>
          <span>now</span>
        </figcaption>
      </figure>
      {since === undefined || failure.count === 0 ? null : <Newest failure={failure} since={since} />}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="numbers">{children}</dd>
    </div>
  );
}

function Versions({ failure: { versions, pipeline_id } }: { failure: FailureOut }) {
  return (
    <Group gap={8}>
      {versions.map((version) =>
        version === null ? (
          <span key="none" className="quiet">
            no version
          </span>
        ) : (
          <Anchor
            key={version}
            component={Link}
            to={`/pipelines/${encodeURIComponent(pipeline_id)}?version=${version}`}
            inherit
          >
            v{version}
          </Anchor>
        ),
      )}
    </Group>
  );
}

/** Who said what its state is, and since when it is open again. */
function Said({ failure }: { failure: FailureOut }) {
  const { state, marked_by, marked_at, mended_in_version, reopened_at } = failure;
  if (marked_by === null || marked_at === null) return null;
  const word = mended_in_version !== null ? `mended by v${mended_in_version}` : state === "muted" ? "muted" : "open";
  return (
    <Text size="sm">
      {marked_by} said <Moment at={marked_at} /> that it is {word}.
      {reopened_at === null ? null : (
        <>
          {" "}
          It has failed so again since, <Moment at={reopened_at} />.
        </>
      )}
    </Text>
  );
}

function Newest({ failure, since }: { failure: FailureOut; since: string }) {
  const { pipeline_id, failure_group } = failure;
  const { data, error, refetch } = useQuery(
    newestExecutionsQuery({ pipeline_id, failure_group, failed_after: since }, SHOWN_EXECUTIONS, failure.execution_id),
  );
  return (
    <section aria-labelledby="newest">
      <Title order={2} size="h3" id="newest" mb={8}>
        The newest
      </Title>
      {data !== undefined ? (
        <ul className={`panel ${classes.newest}`}>
          {data.items.map((execution) => (
            <li key={execution.execution_id}>
              <Anchor
                component={Link}
                to={`/executions/${encodeURIComponent(execution.execution_id)}`}
                className="mono"
                title={execution.execution_id}
              >
                {shortId(execution.execution_id)}
              </Anchor>
              <span className={classes.own}>{execution.error_message ?? ""}</span>
              <span className="quiet">
                {execution.pipeline_version === null ? "" : `v${execution.pipeline_version}, `}
                <Moment at={execution.completed_at ?? execution.created_at} />
              </span>
            </li>
          ))}
        </ul>
      ) : error !== null ? (
        <QueryFailed what="Its executions" error={error} retry={() => void refetch()} />
      ) : (
        <Skeleton height={160} aria-label="Its executions are being read" role="status" />
      )}
    </section>
  );
}
