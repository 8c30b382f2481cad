/** Where what is written in the editor is run once: a drawer over the page, whose form comes when it is opened. */
import { Drawer, Skeleton, Text } from "@mantine/core";
import { Suspense } from "react";
import { lazyPart } from "@/components/ui/lazy-part";
import classes from "./pipelines.module.css";
import type { RunOnceFormProps } from "./run-once-form";

const RunOnceForm = lazyPart(async () => (await import("./run-once-form")).RunOnceForm);

type RunOnceDrawerProps = Omit<RunOnceFormProps, "input"> & {
  title: string;
  /** What happens to the definition. */
  about: string;
  /** Null: it is closed. */
  input: RunOnceFormProps["input"] | null;
  onClose: () => void;
};

export function RunOnceDrawer({ title, about, input, onClose, ...form }: RunOnceDrawerProps) {
  return (
    <Drawer
      opened={input !== null}
      onClose={onClose}
      position="right"
      size={560}
      title={
        <Text fw={650} component="span">
          {title}
        </Text>
      }
      closeButtonProps={{ "aria-label": "Close" }}
      classNames={{ content: classes.drawer, header: classes.drawerHeader, body: classes.drawerBody }}
    >
      <Text size="sm" className="quiet" mb="md">
        {about}
      </Text>
      <Suspense fallback={<Skeleton height={320} radius="md" />}>
        {input === null ? null : <RunOnceForm {...form} input={input} />}
      </Suspense>
    </Drawer>
  );
}
