/** What can be done to an execution. A disabled action gives the reason. */
import { Button, Group } from "@mantine/core";
import { IconArrowsDiff, IconPlayerTrackNext, IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { Link } from "react-router";
import { pipelineQuery } from "@/api/pipelines";
import type { ExecutionDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { useStaysOpen } from "@/components/ui/use-stays-open";
import { compareAddress } from "@/domain/comparison";
import { whyNotRerun, whyNotResumed } from "@/domain/second-chances";
import { CancelButton } from "./cancel-button";
import { Explained } from "./explained";
import { ExportMenu } from "./export-menu";
import { useOpened } from "./use-opened";

const RerunDrawer = lazyPart(async () => (await import("./rerun-drawer")).RerunDrawer);
const ResumeModal = lazyPart(async () => (await import("./resume-modal")).ResumeModal);

export function ExecutionActions({ execution }: { execution: ExecutionDetail }) {
  return (
    <Group gap="xs">
      <CancelButton execution={execution} />
      <SecondChances execution={execution} />
      <Explained why="With the last good one: the newest before it that completed">
        <Button
          component={Link}
          to={compareAddress(execution.execution_id)}
          variant="default"
          size="xs"
          leftSection={<IconArrowsDiff size={15} aria-hidden />}
        >
          Compare
        </Button>
      </Explained>
      <ExportMenu execution={execution} />
    </Group>
  );
}

function SecondChances({ execution }: { execution: ExecutionDetail }) {
  const readOnly = useWhyReadOnly();
  const version = execution.pipeline_version;
  const { data: pipeline } = useQuery({ ...pipelineQuery(execution.pipeline_id, version), enabled: version !== null });
  const resume = useOpened("resume");
  const rerun = useOpened("rerun");
  const whyNoResume = readOnly ?? whyNotResumed(execution, pipeline);
  const whyNoRerun = readOnly ?? whyNotRerun(execution, pipeline);
  const isResumeShown = useStaysOpen(resume.isOpen, whyNoResume === null);
  const isRerunShown = useStaysOpen(rerun.isOpen, whyNoRerun === null);
  return (
    <>
      <Explained why={whyNoResume ?? "The same execution goes on where it stopped"}>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlayerTrackNext size={15} aria-hidden />}
          disabled={whyNoResume !== null}
          onClick={resume.open}
        >
          Resume
        </Button>
      </Explained>
      <Explained why={whyNoRerun ?? "Once more from its start, as a new execution"}>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconRefresh size={15} aria-hidden />}
          disabled={whyNoRerun !== null}
          onClick={rerun.open}
        >
          Re-run
        </Button>
      </Explained>
      <Suspense>
        {isResumeShown ? <ResumeModal execution={execution} whyNot={whyNoResume} onClose={resume.close} /> : null}
        {isRerunShown ? <RerunDrawer execution={execution} attempt={null} onClose={rerun.close} /> : null}
      </Suspense>
    </>
  );
}
