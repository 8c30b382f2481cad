/** Running a group of failures again, from the step that failed: on which version, and the rest as for any executions. */
import { NativeSelect } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { versionsQuery } from "@/api/pipelines";
import type { FailureOut } from "@/api/schema.gen";
import { BulkDialog } from "@/features/executions/bulk-dialog";

type RerunDialogProps = {
  failure: FailureOut;
  /** From when on it was counted: those are run again. */
  since: string;
  onClose: () => void;
};

export function RerunDialog({ failure, since, onClose }: RerunDialogProps) {
  const { pipeline_id, failure_group, step_id } = failure;
  // As it was opened: the page goes on counting behind it.
  const [filter] = useState({ pipeline_id, failure_group, failed_after: since });
  const [version, setVersion] = useState(failure.mended_in_version);
  const target = useMemo(() => {
    const from = step_id === "" ? {} : { from_step: step_id };
    return { filter, rerun: { ...from, ...(version === null ? {} : { version }) } };
  }, [filter, step_id, version]);
  return (
    <BulkDialog
      action="rerun"
      target={target}
      others={0}
      title={step_id === "" ? "Run again" : `Re-run from ${step_id}`}
      effect={
        step_id === ""
          ? "Each becomes a new execution with the same input. The old ones stay as they are."
          : `Each becomes a new execution, which begins at ${step_id}: what came before it is copied. The old ones stay as they are.`
      }
      onClose={onClose}
    >
      <VersionChoice failure={failure} value={version} onChange={setVersion} />
    </BulkDialog>
  );
}

type VersionChoiceProps = {
  failure: FailureOut;
  /** Null: the one that each ran. */
  value: number | null;
  onChange: (version: number | null) => void;
};

function VersionChoice({ failure, value, onChange }: VersionChoiceProps) {
  const { data } = useInfiniteQuery(versionsQuery(failure.pipeline_id));
  const versions = (data?.pages.flatMap((page) => page.items) ?? []).map((each) => ({
    value: String(each.version),
    label: `v${each.version}${each.is_current ? ", current" : ""}`,
  }));
  const isListed = value === null || versions.some((each) => each.value === String(value));
  return (
    <NativeSelect
      label="Version"
      data={[
        { value: "", label: "The one that each ran" },
        ...(isListed ? [] : [{ value: String(value), label: `v${value}` }]),
        ...versions,
      ]}
      value={value === null ? "" : String(value)}
      onChange={({ currentTarget }) => onChange(currentTarget.value === "" ? null : Number(currentTarget.value))}
    />
  );
}
