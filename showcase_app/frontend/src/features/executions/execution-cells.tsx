/** What stands in the table's cells and on the cards: the same in both. */
import { Progress, Tooltip, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconRefresh } from "@tabler/icons-react";
import { useSearchParams } from "react-router";
import type { ExecutionOut } from "@/api/schema.gen";
import { Moment, useNow, useTimes } from "@/components/ui/moments";
import { StatusBadge } from "@/components/ui/status-badge";
import { sortOf, withSort } from "@/domain/execution-filters";
import { progressOf } from "@/domain/progress";
import { hasEnded, statusFill } from "@/domain/status";
import { untilText } from "@/domain/time";
import { triggerWord } from "@/domain/triggers";
import { costText, hasUsage, tokensText, unpricedText } from "@/domain/usage";
import classes from "./executions.module.css";

export function Started({ execution }: { execution: ExecutionOut }) {
  if (execution.started_at !== null) return <Moment at={execution.started_at} />;
  return (
    <span className="quiet">
      queued <Moment at={execution.created_at} />
    </span>
  );
}

/** Its status; of one that waits for a time, until when. */
export function Standing({ execution }: { execution: ExecutionOut }) {
  const { status, run_at } = execution;
  return (
    <span className={classes.standing}>
      <StatusBadge status={status} size="sm" />
      {status !== "waiting" || run_at === null ? null : <Until at={run_at} />}
    </span>
  );
}

function Until({ at }: { at: string }) {
  const text = untilText(at, useNow(), useTimes().zone);
  return (
    <span className="quiet">
      <Moment at={at} text={text} />
    </span>
  );
}

/** `unit`: where no heading says that steps are counted. */
export function Steps({ execution, unit = false }: { execution: ExecutionOut; unit?: boolean }) {
  const { done, failed, total, text, words } = progressOf(execution);
  if (words === null) return <span className="quiet">–</span>;
  const color = statusFill(hasEnded(execution.status) ? "completed" : "running");
  return (
    <div className={classes.steps}>
      {total === 0 ? null : (
        <Progress.Root size={6} className={classes.bar} role="img" aria-label={words}>
          <Progress.Section value={(100 * done) / total} color={color} withAria={false} />
          <Progress.Section value={(100 * failed) / total} color={statusFill("failed")} withAria={false} />
        </Progress.Root>
      )}
      <span className="numbers" title={words}>
        {text}
        {unit ? (text === "1" ? " step" : " steps") : null}
      </span>
    </div>
  );
}

export function Trigger({ execution }: { execution: ExecutionOut }) {
  return (
    <span className={classes.trigger}>
      {execution.rerun_of === null ? null : <IconRefresh size={14} stroke={2} aria-hidden />}
      {triggerWord(execution.trigger)}
    </span>
  );
}

/** The heading that puts the dearest first, and the newest again. */
export function CostHeading() {
  const [address, setAddress] = useSearchParams();
  const isByCost = sortOf(address) === "cost";
  return (
    <UnstyledButton
      className={classes.heading}
      title={isByCost ? "Show the newest first" : "Show the dearest first, without those of which no cost is known"}
      onClick={() => setAddress((before) => withSort(before, isByCost ? "newest" : "cost"))}
    >
      Cost {isByCost ? <IconArrowDown size={13} aria-hidden /> : null}
    </UnstyledButton>
  );
}

/** What its calls of models cost; a plus where some of them have no price. */
export function Cost({ execution }: { execution: ExecutionOut }) {
  if (!hasUsage(execution)) return null;
  const { cost_micros, unpriced_calls } = execution;
  const missing = unpricedText(unpriced_calls);
  const words = [tokensText(execution), missing].filter((each) => each !== null).join("; ");
  return (
    <span className={cost_micros === null ? "quiet" : "numbers"} title={words}>
      {costText(cost_micros)}
      {missing === null || cost_micros === null ? null : " + ?"}
    </span>
  );
}

/** Why it failed: the cause's first line, then the step; all that the list has of it on hover. */
export function ErrorLine({ execution }: { execution: ExecutionOut }) {
  const { cause, error_message, failed_step } = execution;
  if (cause === null) return null;
  return (
    <Tooltip label={error_message ?? cause} multiline maw={520} openDelay={300} position="bottom-start">
      <span className={classes.error}>
        <span className={classes.cause}>{cause.split("\n", 1)[0]}</span>
        {failed_step === null ? null : <span className={classes.step}>{failed_step}</span>}
      </span>
    </Tooltip>
  );
}
