/** The question before many executions are cancelled or run again, with their number; then what was done, and what not. */
import { Alert, Anchor, Button, Group, List, Modal, ScrollArea, Skeleton, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { type BulkRequest, changeExecutions, executionKeys } from "@/api/executions";
import type { BulkOut } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";

export type BulkAction = BulkRequest["action"];
export type BulkTarget = Pick<BulkRequest, "execution_ids" | "filter">;

const WORDS: Readonly<
  Record<BulkAction, { title: string; confirm: string; done: string; effect: string; none: string }>
> = {
  cancel: {
    title: "Cancel executions",
    confirm: "Cancel",
    done: "cancelled; those that run stop in a moment",
    effect: "Those in the queue will not start; those that run are stopped by their workers.",
    none: "None of them can be cancelled: they have all ended.",
  },
  rerun: {
    title: "Run executions again",
    confirm: "Run again",
    done: "queued again",
    effect: "Each becomes a new execution of the same version with the same input. The old ones stay as they are.",
    none: "None of them can be run again.",
  },
};
const SHOWN_REFUSALS = 50;

type Props = {
  action: BulkAction;
  target: BulkTarget;
  /** How many of those that were selected are left out, since they have ended. */
  ended: number;
  onClose: (done: boolean) => void;
};

export function BulkDialog({ action, target, ended, onClose }: Props) {
  const client = useQueryClient();
  const words = WORDS[action];
  const counted = useQuery({
    queryKey: [...executionKeys.all, "bulk", action, target],
    queryFn: () => changeExecutions({ action, ...target, dry_run: true }),
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const change = useMutation({
    mutationFn: () => changeExecutions({ action, ...target, dry_run: false }),
    onSuccess: () => client.invalidateQueries({ queryKey: executionKeys.all }),
  });
  const able = counted.data === undefined ? 0 : counted.data.matched - counted.data.refused.length;
  return (
    <Modal
      opened
      onClose={() => onClose(change.isSuccess)}
      title={<b>{words.title}</b>}
      size="lg"
      closeButtonProps={{ "aria-label": "Close the dialog" }}
    >
      <Stack gap="sm">
        {change.data !== undefined ? (
          <Summary changed={change.data} done={words.done} />
        ) : counted.isError ? (
          <QueryFailed what="How many there are" error={counted.error} retry={() => counted.refetch()} />
        ) : counted.data === undefined ? (
          <Skeleton height={48} role="status" aria-label="Counting" />
        ) : (
          <>
            <Text fw={600}>{able === 0 ? words.none : `${countOf(able)}. ${words.effect}`}</Text>
            {ended === 0 ? null : <Text size="sm">{countOf(ended)} of those selected ended already.</Text>}
            {counted.data.matched_capped ? (
              <Text size="sm">More than 1,000 match. The newest 1,000 are taken now; ask again for the others.</Text>
            ) : null}
            <Refusals changed={counted.data} />
          </>
        )}
        {change.isError ? (
          <Alert color="red" title="That did not work" role="alert">
            {change.error.message}
          </Alert>
        ) : null}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={() => onClose(change.isSuccess)}>
            {change.isSuccess ? "Close" : "Leave them"}
          </Button>
          {change.isSuccess ? null : (
            <Button
              color={action === "cancel" ? "red" : undefined}
              disabled={able === 0}
              loading={change.isPending}
              onClick={() => change.mutate()}
            >
              {able === 0 ? words.confirm : `${words.confirm} ${able.toLocaleString("en")}`}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function Summary({ changed, done }: { changed: BulkOut; done: string }) {
  return (
    <div role="status">
      <Text fw={600}>
        {countOf(changed.done)} {done}.
      </Text>
      {changed.matched_capped ? <Text size="sm">More than 1,000 matched; there are others.</Text> : null}
      <Refusals changed={changed} />
    </div>
  );
}

function Refusals({ changed: { refused } }: { changed: BulkOut }) {
  if (refused.length === 0) return null;
  return (
    <div>
      <Text size="sm" mb={4}>
        {countOf(refused.length)} left as {refused.length === 1 ? "it is" : "they are"}:
      </Text>
      <ScrollArea.Autosize mah={240} type="auto" viewportProps={{ tabIndex: 0, "aria-label": "What was refused" }}>
        <List size="sm" spacing={4} pr="md">
          {refused.slice(0, SHOWN_REFUSALS).map(({ execution_id, reason }) => (
            <List.Item key={execution_id}>
              <Anchor component={Link} to={`/executions/${execution_id}`} className="mono">
                {execution_id.slice(-8)}
              </Anchor>{" "}
              {reason}
            </List.Item>
          ))}
        </List>
        {refused.length > SHOWN_REFUSALS ? <Text size="sm">and {refused.length - SHOWN_REFUSALS} more</Text> : null}
      </ScrollArea.Autosize>
    </div>
  );
}

function countOf(count: number): string {
  return count === 1 ? "1 execution" : `${count.toLocaleString("en")} executions`;
}
