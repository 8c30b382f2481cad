/** What an execution can be taken along as: a run file, or JSON for scripts. */
import { Button, Menu } from "@mantine/core";
import { IconBraces, IconDownload, IconFileExport } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { useWhyAway } from "@/api/away";
import { exportAddress } from "@/api/executions";
import type { ExecutionDetail } from "@/api/schema.gen";
import { sessionQuery } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { useOpened } from "./use-opened";

const RunFileModal = lazyPart(async () => (await import("./run-file-modal")).RunFileModal);

export function ExportMenu({ execution }: { execution: ExecutionDetail }) {
  const { data: session } = useQuery(sessionQuery);
  const away = useWhyAway();
  const { isOpen, open, close } = useOpened("run-file");
  const isRunFile = session?.run_file === true;
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button variant="default" size="xs" leftSection={<IconDownload size={15} aria-hidden />}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown maw={320}>
          <Menu.Item leftSection={<IconFileExport size={16} aria-hidden />} disabled={isRunFile} onClick={open}>
            {isRunFile ? "Run file: you are looking at one" : "Download as run file…"}
          </Menu.Item>
          <Menu.Item
            component="a"
            href={exportAddress(execution.execution_id)}
            download
            disabled={away !== null}
            title={away ?? undefined}
            onClick={(event) => {
              if (away !== null) event.preventDefault();
            }}
            leftSection={<IconBraces size={16} aria-hidden />}
          >
            JSON, for scripts
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Suspense>{isOpen && !isRunFile ? <RunFileModal execution={execution} onClose={close} /> : null}</Suspense>
    </>
  );
}
