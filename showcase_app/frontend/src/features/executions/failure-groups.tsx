/** Why so many failed: one line above the list that opens what failed alike, how often, since when and which version. */
import { Anchor, Button, Skeleton, Text } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { countsQuery } from "@/api/executions";
import { failuresQuery } from "@/api/failures";
import type { FailureOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { countText, type ListedFilters, type TimeWindow } from "@/domain/execution-filters";
import { failedAddress, failureAddress, failureText, versionsText } from "@/domain/failures";
import { ErrorText } from "@/features/failures/error-text";
import classes from "./executions.module.css";

/** Failures are counted in this window where the list has none. */
const WINDOW: TimeWindow = "30d";
const WINDOW_WORDS: Readonly<Record<TimeWindow, string>> = {
  "1h": "the last hour",
  "24h": "the last 24 hours",
  "7d": "the last 7 days",
  "30d": "the last 30 days",
};

type FailureGroupsProps = { shown: ListedFilters; opened: boolean; onToggle: (opened: boolean) => void };

export function FailureGroups({ shown, opened, onToggle }: FailureGroupsProps) {
  const { status, ...others } = shown;
  const { data: counts } = useQuery(countsQuery(others));
  const failed = counts?.by_status.failed ?? 0;
  if (failed === 0 || !canBeGrouped(shown)) return null;
  const text = countText(failed, counts?.capped.includes("failed"));
  const Chevron = opened ? IconChevronDown : IconChevronRight;
  return (
    <section className={`panel ${classes.groups}`} aria-label="Why executions failed">
      <Button
        variant="subtle"
        size="compact-sm"
        leftSection={<Chevron size={16} aria-hidden />}
        aria-expanded={opened}
        onClick={() => onToggle(!opened)}
      >
        Why {text} failed
      </Button>
      {opened ? <Groups window={shown.window ?? WINDOW} pipeline_id={shown.pipeline_id} /> : null}
    </section>
  );
}

/** Groups are counted by pipeline and time alone: of a list that is narrowed otherwise they would say something else. */
function canBeGrouped({ status, pipeline_id, window, ...others }: ListedFilters): boolean {
  const isNarrowed = Object.values(others).some((value) => value !== undefined);
  return !isNarrowed && (status === undefined || status.includes("failed"));
}

function Groups({ window, pipeline_id }: { window: TimeWindow; pipeline_id: string | undefined }) {
  const { data: page, error, refetch } = useQuery(failuresQuery({ window, pipeline_id }));
  if (page === undefined) {
    return error === null ? (
      <Skeleton height={120} role="status" aria-label="Reading the groups" />
    ) : (
      <QueryFailed what="The groups" error={error} retry={() => void refetch()} />
    );
  }
  if (page.items.length === 0) {
    return (
      <Text size="sm" p="xs">
        Nothing failed in {WINDOW_WORDS[window]}: what failed did so before.
      </Text>
    );
  }
  return (
    <div className={classes.groupTable}>
      <table aria-label={`Groups of failures in ${WINDOW_WORDS[window]}`}>
        <thead>
          <tr>
            <th scope="col">Failures</th>
            <th scope="col">Why, in {WINDOW_WORDS[window]}</th>
            <th scope="col">First seen</th>
            <th scope="col">Version</th>
            <th scope="col">Last</th>
          </tr>
        </thead>
        <tbody>
          {page.items.map((failure) => (
            <Group key={failure.id} failure={failure} since={page.since} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Group({ failure, since }: { failure: FailureOut; since: string }) {
  const { id, count, step_id, first_at, first_version, last_at, versions } = failure;
  return (
    <tr aria-label={failureText(failure)}>
      <td>
        <Anchor component={Link} to={failedAddress(id, since)} inherit fw={650} className="numbers">
          {count.toLocaleString("en")}
        </Anchor>
      </td>
      <td>
        <span className={classes.error}>
          <Anchor component={Link} to={failureAddress(id)} c="inherit" inherit className={classes.cause}>
            <ErrorText failure={failure} />
          </Anchor>
          <span className={classes.step}>
            {failure.pipeline_name}
            {step_id === "" ? "" : ` › ${step_id}`}
          </span>
        </span>
      </td>
      <td>
        <Moment at={first_at} />
      </td>
      <td>{first_version === null ? versionsText(versions) : `since v${first_version}`}</td>
      <td>{last_at === null ? "" : <Moment at={last_at} />}</td>
    </tr>
  );
}
