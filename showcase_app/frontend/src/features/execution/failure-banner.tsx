/** Why an execution failed, above everything else: the step that stopped it, its error, and how often that happens. */
import { Alert, Anchor, Button, Group, Text } from "@mantine/core";
import { IconAlertTriangle, IconArrowRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { lastGoodQuery } from "@/api/executions";
import { failureQuery } from "@/api/failures";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
import { Moment, useTimes } from "@/components/ui/moments";
import { compareAddress } from "@/domain/comparison";
import { failureAddress, stateText } from "@/domain/failures";
import { shortId } from "@/domain/runs";
import { momentText } from "@/domain/time";
import classes from "./execution.module.css";

type FailureBannerProps = { execution: ExecutionDetail; step: StepDetail | null; onJump: (step: StepDetail) => void };

export function FailureBanner({ execution, step, onJump }: FailureBannerProps) {
  const type = step?.error_type ?? execution.error_type;
  const message = step?.error_message ?? execution.error_message;
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} p="sm" mb="md" title={titleOf(step)} role="alert">
      <Group justify="space-between" gap="sm" align="flex-end">
        <Text size="sm" className={classes.failure} lineClamp={6}>
          {type === null ? null : <b className="mono">{type}</b>}
          {type !== null && message !== null ? ": " : null}
          {message ?? (type === null ? "No reason is on record." : null)}
        </Text>
        {step === null ? null : (
          <Button
            size="compact-sm"
            variant="default"
            rightSection={<IconArrowRight size={14} aria-hidden />}
            onClick={() => onJump(step)}
          >
            Show the step
          </Button>
        )}
      </Group>
      {execution.failure_group === null ? null : (
        <Alike failureId={`${execution.pipeline_id}.${execution.failure_group}`} />
      )}
      <LastGood execution={execution} />
    </Alert>
  );
}

/** The group of failures that it is of. The rest of the page is there without it, so a failed question is left out. */
function Alike({ failureId }: { failureId: string }) {
  const { data: failure } = useQuery(failureQuery(failureId));
  const { zone } = useTimes();
  if (failure === undefined) return null;
  const times = failure.count === 1 ? "once" : `${failure.count.toLocaleString("en")} times`;
  return (
    <Text size="sm" mt={6}>
      <Anchor component={Link} to={failureAddress(failure.id)} inherit c="inherit" underline="always">
        It failed so {times} in the last 7 days
      </Anchor>
      {failure.state === "open" && failure.reopened_at === null ? "" : `: ${stateText(failure).toLowerCase()}`}. Began{" "}
      {failure.first_version === null ? "" : `with v${failure.first_version}, `}
      <Moment at={failure.first_at} text={momentText(failure.first_at, zone, "minute")} />.
    </Text>
  );
}

/** What ran well before, to look at and to compare with. */
function LastGood({ execution: { execution_id } }: { execution: ExecutionDetail }) {
  const { data } = useQuery(lastGoodQuery(execution_id));
  if (data === undefined) return null;
  const good = data.execution;
  if (good === null) return <Text size="sm">No run of this pipeline has completed before it.</Text>;
  return (
    <Text size="sm">
      Last good run:{" "}
      <Anchor
        component={Link}
        to={`/executions/${encodeURIComponent(good.execution_id)}`}
        inherit
        c="inherit"
        underline="always"
        className="mono"
      >
        {shortId(good.execution_id)}
      </Anchor>
      {good.pipeline_version === null ? "" : `, v${good.pipeline_version}`}, <Moment at={good.created_at} />.{" "}
      <Anchor
        component={Link}
        to={compareAddress(execution_id, good.execution_id)}
        inherit
        c="inherit"
        underline="always"
      >
        What differs
      </Anchor>
    </Text>
  );
}

function titleOf(step: StepDetail | null): string {
  if (step === null) return "It failed";
  const where = [
    ...(step.iteration > 1 ? [`iteration ${step.iteration}`] : []),
    ...(step.attempt > 1 ? [`attempt ${step.attempt}`] : []),
  ];
  return `${step.step_name} failed${where.length > 0 ? ` (${where.join(", ")})` : ""}`;
}
