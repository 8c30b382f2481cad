/** Where an execution is started: a drawer over the page, whose form comes when it is opened. */
import { Drawer, Skeleton, Text } from "@mantine/core";
import { Suspense } from "react";
import type { PipelineDetail } from "@/api/schema.gen";
import { lazyPart } from "@/components/ui/lazy-part";
import classes from "./pipelines.module.css";

const RunForm = lazyPart(async () => (await import("./run-form")).RunForm);

type RunDrawerProps = { pipeline: PipelineDetail; opened: boolean; onClose: () => void };

export function RunDrawer({ pipeline, opened, onClose }: RunDrawerProps) {
  return (
    <Drawer
      opened={opened}
      onClose={onClose}
      position="right"
      size={560}
      title={
        <Text fw={650} component="span">
          Run {pipeline.name}{" "}
          <Text span className="quiet" fw={400}>
            v{pipeline.version}
          </Text>
        </Text>
      }
      closeButtonProps={{ "aria-label": "Close" }}
      classNames={{ content: classes.drawer, header: classes.drawerHeader, body: classes.drawerBody }}
    >
      <Suspense fallback={<Skeleton height={320} radius="md" />}>
        <RunForm pipeline={pipeline} />
      </Suspense>
    </Drawer>
  );
}
