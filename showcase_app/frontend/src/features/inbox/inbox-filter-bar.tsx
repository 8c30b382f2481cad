/** What the inbox is narrowed to. */
import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconUser, IconX } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { type InboxFilters, QUESTION_STATUSES } from "@/domain/inbox-filters";
import { questionStatusWord } from "@/domain/questions";
import { PipelineSelect } from "@/features/executions/pipeline-select";
import classes from "./inbox.module.css";

const ALL = "all";
const CHOICES = [
  ...QUESTION_STATUSES.map((status) => ({ value: status as string, label: questionStatusWord(status) })),
  { value: ALL, label: "All" },
];

type InboxFilterBarProps = {
  filters: InboxFilters;
  /** An approver sees its own questions, and no list of pipelines. */
  onlyAnswers: boolean;
  onChange: (change: InboxFilters) => void;
};

export function InboxFilterBar({ filters, onlyAnswers, onChange }: InboxFilterBarProps) {
  return (
    <div className={classes.filters}>
      <div className={classes.statuses}>
        <SegmentedControl
          aria-label="Status"
          size="xs"
          data={CHOICES}
          value={filters.status ?? ALL}
          onChange={(chosen) => onChange({ status: QUESTION_STATUSES.find((status) => status === chosen) })}
        />
      </div>
      {onlyAnswers ? null : (
        <>
          <PipelineSelect
            className={classes.choice}
            value={filters.pipeline_id}
            onChange={(pipeline_id) => onChange({ pipeline_id })}
          />
          <AssignedTo value={filters.assigned_to} onChange={(assigned_to) => onChange({ assigned_to })} />
          {filters.execution_id === undefined ? null : (
            <Button
              variant="default"
              size="xs"
              rightSection={<IconX size={14} aria-hidden />}
              onClick={() => onChange({ execution_id: undefined })}
            >
              Of one execution: all again
            </Button>
          )}
        </>
      )}
    </div>
  );
}

type AssignedToProps = { value: string | undefined; onChange: (name: string | undefined) => void };

function AssignedTo({ value, onChange }: AssignedToProps) {
  const [typed, setTyped] = useState(value ?? "");
  const narrow = useDebouncedCallback((name: string) => onChange(name.trim() || undefined), 300);
  useEffect(() => setTyped(value ?? ""), [value]); // back and forward
  return (
    <TextInput
      className={classes.choice}
      type="search"
      aria-label="Assigned to"
      placeholder="Assigned to"
      leftSection={<IconUser size={15} aria-hidden />}
      maxLength={200}
      value={typed}
      onChange={({ currentTarget }) => {
        setTyped(currentTarget.value);
        narrow(currentTarget.value);
      }}
    />
  );
}
