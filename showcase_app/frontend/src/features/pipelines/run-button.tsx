/** Leads to the form that starts an execution, or gives the reason why there is none. */
import { Button, Tooltip } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { Link } from "react-router";
import type { PipelineOut } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";

type RunButtonProps = {
  pipeline: Pick<PipelineOut, "name" | "is_active" | "runnable" | "current_version">;
  to: string;
  variant?: "filled" | "light";
};

export function RunButton({ pipeline, to, variant = "filled" }: RunButtonProps) {
  const readOnly = useWhyReadOnly();
  const why = readOnly ?? whyNotRun(pipeline);
  const look = { variant, leftSection: <IconPlayerPlay size={16} aria-hidden /> };
  if (why === null) {
    return (
      <Button component={Link} to={to} {...look} aria-label={`Run ${pipeline.name}`}>
        Run
      </Button>
    );
  }
  return (
    <Tooltip label={why} multiline maw={280}>
      <Button {...look} data-disabled aria-disabled aria-label={`Run ${pipeline.name}: ${why}`}>
        Run
      </Button>
    </Tooltip>
  );
}

/** Why a pipeline cannot be started, whoever looks; null: it can. */
export function whyNotRun({ is_active, runnable, current_version }: RunButtonProps["pipeline"]): string | null {
  if (current_version === null) return "It has no definition: another program runs it and records its executions here.";
  if (!runnable) return "Its code is not found here, or may not be used: see --pipelines and IA_MODULES_STEP_MODULES.";
  return is_active ? null : "It is archived. A new version brings it back.";
}
