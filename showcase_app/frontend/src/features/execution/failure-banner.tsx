/** Why an execution failed, above everything else: the step that stopped it, and its error. */
import { Alert, Button, Group, Text } from "@mantine/core";
import { IconAlertTriangle, IconArrowRight } from "@tabler/icons-react";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
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
    </Alert>
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
