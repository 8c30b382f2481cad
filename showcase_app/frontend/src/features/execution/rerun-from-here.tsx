/** Leads to the form that runs an execution again from an attempt of a step, or gives the reason why it cannot be. */
import { Button } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { pipelineQuery } from "@/api/pipelines";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { useStaysOpen } from "@/components/ui/use-stays-open";
import { whyNotFrom } from "@/domain/second-chances";
import { Explained } from "./explained";
import { useOpened } from "./use-opened";

const RerunDrawer = lazyPart(async () => (await import("./rerun-drawer")).RerunDrawer);

export function RerunFromHere({ execution, attempt }: { execution: ExecutionDetail; attempt: StepDetail }) {
  const readOnly = useWhyReadOnly();
  const version = execution.pipeline_version;
  const { data: pipeline } = useQuery({ ...pipelineQuery(execution.pipeline_id, version), enabled: version !== null });
  const { isOpen, open, close } = useOpened("rerun-step");
  const why = readOnly ?? whyNotFrom(execution, attempt, pipeline);
  const isShown = useStaysOpen(isOpen, why === null);
  return (
    <>
      <Explained why={why ?? "What does not depend on it is copied; it and what follows run again"}>
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<IconRefresh size={14} aria-hidden />}
          disabled={why !== null}
          onClick={open}
        >
          Re-run from here
        </Button>
      </Explained>
      <Suspense>{isShown ? <RerunDrawer execution={execution} attempt={attempt} onClose={close} /> : null}</Suspense>
    </>
  );
}
