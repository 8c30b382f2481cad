/** What can be done with the executions that are selected. */
import { ActionBar, Button, Text, Tooltip } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import type { ExecutionStatus } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { compareAddress } from "@/domain/comparison";
import { filterParams, type ListedFilters } from "@/domain/execution-filters";
import { hasEnded } from "@/domain/status";
import { type BulkAction, BulkDialog, type BulkTarget } from "./bulk-dialog";
import classes from "./executions.module.css";

const LIMIT = 1000;
const WORDS: Readonly<Record<BulkAction, string>> = { cancel: "Cancel…", resume: "Resume…", rerun: "Re-run…" };
const NONE: Readonly<Record<BulkAction, string>> = {
  cancel: "The selected executions have all ended.",
  resume: "None of the selected executions has failed or was cancelled.",
  rerun: "None of the selected executions can be run again.",
};

type Props = {
  /** `status` as far as it is known. */
  selected: { id: string; status: ExecutionStatus | undefined }[];
  filters: ListedFilters;
  allMatching: boolean;
  canSelectAll: boolean;
  onSelectAll: () => void;
  onClear: () => void;
};

export function BulkBar({ selected, filters, allMatching, canSelectAll, onSelectAll, onClear }: Props) {
  const [dialog, setDialog] = useState<{ action: BulkAction; target: BulkTarget; others: number } | null>(null);
  const readOnly = useWhyReadOnly();
  const pair = pairOf(selected.map(({ id }) => id));
  const choose = (action: BulkAction): { target: () => BulkTarget; others: number; whyNot: string | null } => {
    if (allMatching) {
      return { target: () => ({ filter: filterParams(filters, Date.now()) }), others: 0, whyNot: readOnly };
    }
    const able = selected.filter(({ status }) => status === undefined || isFor(action, status));
    const tooMany = able.length > LIMIT ? `At most ${LIMIT.toLocaleString("en")} at once.` : null;
    const none = able.length === 0 ? NONE[action] : null;
    const others = selected.length - able.length;
    return { target: () => ({ execution_ids: able.map(({ id }) => id) }), others, whyNot: readOnly ?? tooMany ?? none };
  };
  return (
    <>
      <ActionBar
        opened={selected.length > 0 && dialog === null}
        aria-label="Selected executions"
        className={classes.bulk}
        withBorder
        withinPortal={false}
      >
        <Text size="sm" fw={600} className="numbers" role="status">
          {allMatching ? "All that match" : `${selected.length.toLocaleString("en")} selected`}
        </Text>
        {canSelectAll && !allMatching ? (
          <Button variant="subtle" size="compact-sm" onClick={onSelectAll}>
            All that match
          </Button>
        ) : null}
        <ActionBar.Divider visibleFrom="xs" />
        {(["cancel", "resume", "rerun"] as const).map((action) => {
          const { target, others, whyNot } = choose(action);
          return (
            <Tooltip key={action} label={whyNot} disabled={whyNot === null}>
              <Button
                variant="default"
                size="compact-sm"
                data-disabled={whyNot !== null || undefined}
                aria-disabled={whyNot !== null}
                onClick={(event) => {
                  if (whyNot !== null) event.preventDefault();
                  else setDialog({ action, target: target(), others });
                }}
              >
                {WORDS[action]}
              </Button>
            </Tooltip>
          );
        })}
        {allMatching || pair === null ? null : (
          <Button component={Link} to={compareAddress(...pair)} variant="default" size="compact-sm">
            Compare
          </Button>
        )}
        <ActionBar.CloseButton aria-label="Select none" onClick={onClear} />
      </ActionBar>
      {dialog === null ? null : (
        <BulkDialog
          {...dialog}
          onClose={(done) => {
            setDialog(null);
            if (done) onClear();
          }}
        />
      )}
    </>
  );
}

function isFor(action: BulkAction, status: ExecutionStatus): boolean {
  if (action === "cancel") return !hasEnded(status);
  return action === "rerun" || status === "failed" || status === "cancelled";
}

/** Two executions, the newer one first, as it is with the last good one; null: there are not two. */
function pairOf(ids: string[]): [string, string] | null {
  const [older, newer, ...others] = [...ids].sort();
  return older === undefined || newer === undefined || others.length > 0 ? null : [newer, older];
}
