/** Where an execution is run again: a drawer over the page, whose form comes when it is opened. */
import { Drawer, Skeleton, Text } from "@mantine/core";
import { Suspense, useState } from "react";
import type { ExecutionDetail, StepDetail } from "@/api/schema.gen";
import { lazyPart } from "@/components/ui/lazy-part";
import classes from "@/features/pipelines/pipelines.module.css";

const RerunForm = lazyPart(async () => (await import("./rerun-form")).RerunForm);

type RerunDrawerProps = {
  execution: ExecutionDetail;
  /** From where; null: all of it. */
  attempt: StepDetail | null;
  onClose: () => void;
};

/** Shown for as long as it is there: each time it is opened, its form begins anew. */
export function RerunDrawer({ execution, attempt, onClose }: RerunDrawerProps) {
  const [from, setFrom] = useState(attempt);
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size={760}
      title={
        <Text fw={650} component="span">
          Re-run {execution.pipeline_name}
          {from === null ? "" : ` from ${from.step_name}${from.iteration > 1 ? `#${from.iteration}` : ""}`}
        </Text>
      }
      closeButtonProps={{ "aria-label": "Close" }}
      classNames={{ content: classes.drawer, header: classes.drawerHeader, body: classes.drawerBody }}
    >
      <Suspense fallback={<Skeleton height={320} radius="md" />}>
        <RerunForm key={from?.step_execution_id ?? "whole"} execution={execution} attempt={from} onChoose={setFrom} />
      </Suspense>
    </Drawer>
  );
}
