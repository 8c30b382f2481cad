/** One group of failures in the list: what failed, its trend, how often, when, and what can be done. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";
import type { FailureOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import type { TimeWindow } from "@/domain/execution-filters";
import { failedAddress, failureAddress, failureText, versionsText } from "@/domain/failures";
import { ErrorText } from "./error-text";
import { FailureActions } from "./failure-actions";
import classes from "./failures.module.css";
import { StateBadge } from "./state-badge";
import { Trend } from "./trend";

type FailureRowProps = {
  failure: FailureOut;
  /** From when on it was counted. */
  since: string;
  window: TimeWindow;
};

export function FailureRow({ failure, since, window }: FailureRowProps) {
  const { count, step_id, last_at, execution_id } = failure;
  return (
    <article className={`panel ${classes.row}`} data-state={failure.state} aria-label={failureText(failure)}>
      <div className={classes.what}>
        <Anchor component={Link} to={failureAddress(failure.id, window)} className={classes.error} lineClamp={2}>
          <ErrorText failure={failure} />
        </Anchor>
        <div className={classes.facts}>
          <StateBadge failure={failure} />
          <span>
            <Anchor
              component={Link}
              to={`/pipelines/${encodeURIComponent(failure.pipeline_id)}`}
              inherit
              underline="always"
              className={classes.named}
              title={failure.pipeline_name}
            >
              {failure.pipeline_name}
            </Anchor>
            {step_id === "" ? null : (
              <>
                {" › "}
                <span className={`${classes.step} ${classes.named}`} title={step_id}>
                  {step_id}
                </span>
              </>
            )}
          </span>
          {failure.versions.length === 0 ? null : <span className="quiet">{versionsText(failure.versions)}</span>}
        </div>
      </div>
      <Trend trend={failure.trend} height={36} />
      <div className={classes.numbers}>
        <Anchor
          component={Link}
          to={failedAddress(failure.id, since)}
          className={`${classes.count} numbers`}
          aria-label={`${count.toLocaleString("en")} failed so`}
        >
          {count.toLocaleString("en")}
        </Anchor>
        <Text size="xs" component="div">
          <span className="quiet">first</span> <Moment at={failure.first_at} />
          <br />
          <span className="quiet">last</span>{" "}
          {execution_id === null || last_at === null ? (
            <span className="quiet">deleted</span>
          ) : (
            <Anchor component={Link} to={`/executions/${encodeURIComponent(execution_id)}`} inherit>
              <Moment at={last_at} isInside />
            </Anchor>
          )}
        </Text>
      </div>
      <FailureActions failure={failure} since={since} />
    </article>
  );
}
