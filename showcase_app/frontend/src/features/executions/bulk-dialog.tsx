/** The question before many executions are cancelled, resumed or run again, with their number and what would run; then
 * what was done, and what not. */
import { Alert, Anchor, Button, Group, List, Modal, Progress, ScrollArea, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { ApiError } from "@/api/client";
import { type BulkRequest, countExecutions } from "@/api/executions";
import type { BulkOut } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import { ServerButton } from "@/components/ui/server-button";
import { PART } from "@/domain/bulk";
import { shortId } from "@/domain/runs";
import { useChangeMany } from "./use-change-many";

export type BulkAction = BulkRequest["action"];
/** Which ones, and how they are run again; without `rerun` as they ran before. */
export type BulkTarget = Pick<BulkRequest, "execution_ids" | "filter" | "rerun">;

const WORDS: Readonly<
  Record<BulkAction, { title: string; confirm: string; done: string; effect: string; none: string; others: string }>
> = {
  cancel: {
    title: "Cancel executions",
    confirm: "Cancel",
    done: "cancelled; those that run stop in a moment",
    effect: "Those in the queue will not start; those that run are stopped by their workers.",
    none: "None of them can be cancelled: they have all ended.",
    others: "what has ended cannot be cancelled",
  },
  resume: {
    title: "Resume executions",
    confirm: "Resume",
    done: "back in the queue; workers go on with them",
    effect: "Each goes on where it stopped: what has completed is not run again.",
    none: "None of them can be resumed: only what failed or was cancelled can.",
    others: "only what failed or was cancelled can go on",
  },
  rerun: {
    title: "Run executions again",
    confirm: "Run again",
    done: "queued again",
    effect: "Each becomes a new execution, with idempotency keys of its own. The old ones stay as they are.",
    none: "None of them can be run again.",
    others: "they cannot be run again",
  },
};
const SHOWN_REFUSALS = 50;

type Props = {
  action: BulkAction;
  target: BulkTarget;
  /** How many of those that were selected are left out, since the action is not for what they are. */
  others: number;
  /** What it is called, and what it does, where that is more than the action says. */
  title?: string;
  effect?: string;
  /** What can still be chosen about it. */
  children?: ReactNode;
  onClose: (done: boolean) => void;
};

export function BulkDialog({ action, target, others, title, effect, children, onClose }: Props) {
  const words = WORDS[action];
  const counted = useQuery({
    queryKey: ["count", action, target], // beside the others: what is changed then is not counted again
    queryFn: () => countExecutions({ action, ...target }),
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const { change, progress, stop } = useChangeMany();
  const send = () => {
    if (counted.data === undefined) return;
    const { token, matched } = counted.data; // those that were counted, and no others
    const chosen = token === null ? { execution_ids: target.execution_ids ?? [] } : { token, count: matched };
    change.mutate({ action, rerun: target.rerun, chosen });
  };
  const leave = () => (change.isPending ? stop() : onClose(change.isSuccess));
  const able = counted.data === undefined ? 0 : ableOf(counted.data);
  return (
    <Modal
      opened
      onClose={leave}
      title={<b>{title ?? words.title}</b>}
      size="lg"
      closeButtonProps={{ "aria-label": "Close the dialog" }}
    >
      <Stack gap="sm">
        {change.data === undefined && !change.isPending ? children : null}
        {change.data !== undefined ? (
          <>
            <Summary changed={change.data.result} rest={change.data.rest} done={words.done} />
            {counted.data?.matched_capped ? <Text size="sm">More than 1,000 matched; there are others.</Text> : null}
          </>
        ) : counted.isError ? (
          <QueryFailed what="How many there are" error={counted.error} retry={() => counted.refetch()} />
        ) : counted.data === undefined ? (
          <Skeleton height={48} role="status" aria-label="Counting" />
        ) : (
          <>
            <Text fw={600}>{able === 0 ? words.none : `${countOf(able)}. ${effect ?? words.effect}`}</Text>
            {others === 0 ? null : (
              <Text size="sm">
                {countOf(others)} of those selected left out: {words.others}.
              </Text>
            )}
            {counted.data.matched_capped ? (
              <Text size="sm">More than 1,000 match. The newest 1,000 are taken now; ask again for the others.</Text>
            ) : null}
            <Effects changed={counted.data} />
            <LeftOut changed={counted.data} />
            <Refusals changed={counted.data} />
          </>
        )}
        {change.isPending && progress !== null ? <HowFar {...progress} /> : null}
        {change.isError ? (
          <Alert color="red" title="That did not work" role="alert">
            {progress === null || progress.done === 0 ? null : `${countOf(progress.done)} had their turn before. `}
            {change.error.message}
            {change.error instanceof ApiError && change.error.isUnanswered
              ? " Send it again: what was done already is not done twice."
              : null}
          </Alert>
        ) : null}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={leave}>
            {change.isPending ? "Stop" : change.isSuccess ? "Close" : "Leave them"}
          </Button>
          {change.isSuccess ? null : (
            <ServerButton
              color={action === "cancel" ? "red" : undefined}
              disabled={able === 0}
              loading={change.isPending}
              onClick={send}
            >
              {able === 0 ? words.confirm : `${words.confirm} ${able.toLocaleString("en")}`}
            </ServerButton>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

/** How many of them have had their turn. */
function HowFar({ done, total }: { done: number; total: number }) {
  if (total <= PART) return null; // one request: either all of them have, or none
  return (
    <div>
      <Text size="sm" mb={6} role="status" className="numbers">
        {done.toLocaleString("en")} of {total.toLocaleString("en")} have had their turn.
      </Text>
      <Progress value={(100 * done) / total} aria-label="How far it is" />
    </div>
  );
}

type SummaryProps = { changed: BulkOut; rest: number; done: string };

function Summary({ changed, rest, done }: SummaryProps) {
  return (
    <div role="status">
      <Text fw={600}>
        {countOf(changed.done)} {done}.
      </Text>
      {rest === 0 ? null : <Text size="sm">Stopped before {countOf(rest)}, which stay as they are.</Text>}
      <LeftOut changed={changed} />
      <Refusals changed={changed} />
    </div>
  );
}

function ableOf({ matched, refused, left_out }: BulkOut): number {
  return matched - refused.length - left_out.length;
}

/** The steps that run again, or may, and are neither pure nor read. */
function Effects({ changed: { steps } }: { changed: BulkOut }) {
  const acting = steps.filter((step) => step.may_have_effects);
  if (acting.length === 0) return null;
  return (
    <Alert
      color="orange"
      title="What runs again may have effects outside"
      styles={{ label: { color: "var(--mantine-color-text)" } }}
    >
      <List size="sm" spacing={2}>
        {acting.map((step) => (
          <List.Item key={`${step.step_id} ${step.effect_text}`}>
            <b>{step.step_name}</b>: {step.effect_text}, in {countOf(step.executions)}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}

function LeftOut({ changed: { left_out } }: { changed: BulkOut }) {
  const first = left_out[0];
  if (first === undefined) return null;
  return (
    <Text size="sm">
      {countOf(left_out.length)} left out: {left_out.length === 1 ? "it has" : "they have"} a re-run that is under way,
      has completed, or is among these, such as{" "}
      <Anchor component={Link} to={`/executions/${first.rerun_id}`} className="mono">
        {shortId(first.rerun_id)}
      </Anchor>
      . Selected one by one, they run again all the same.
    </Text>
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
