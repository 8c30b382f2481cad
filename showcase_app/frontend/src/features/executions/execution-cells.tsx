/** What stands in the table's cells and on the cards: the same in both. */
import { Progress, Text, Tooltip } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import type { ExecutionOut } from "@/api/schema.gen";
import { Ago, useNow } from "@/components/ui/moments";
import { StatusBadge } from "@/components/ui/status-badge";
import { progressOf } from "@/domain/progress";
import { hasEnded, statusFill } from "@/domain/status";
import { exactText, untilText } from "@/domain/time";
import classes from "./executions.module.css";

export function Started({ execution }: { execution: ExecutionOut }) {
  if (execution.started_at !== null) return <Ago at={execution.started_at} />;
  return (
    <span className="quiet">
      queued <Ago at={execution.created_at} />
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
  const text = untilText(at, useNow());
  return (
    <Tooltip label={exactText(at)} openDelay={200}>
      <time dateTime={at} className="quiet numbers">
        {text}
      </time>
    </Tooltip>
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

const TRIGGERS: Readonly<Record<string, string>> = { api: "API", cli: "CLI", rerun: "Re-run", program: "Program" };

export function Trigger({ execution }: { execution: ExecutionOut }) {
  return (
    <span className={classes.trigger}>
      {execution.rerun_of === null ? null : <IconRefresh size={14} stroke={2} aria-hidden />}
      {TRIGGERS[execution.trigger] ?? execution.trigger}
    </span>
  );
}

export function hasError({ error_type, error_message }: ExecutionOut): boolean {
  return error_type !== null || error_message !== null;
}

/** The error's first line; all that the list has of it on hover. */
export function ErrorLine({ execution }: { execution: ExecutionOut }) {
  const { error_type, error_message } = execution;
  if (!hasError(execution)) return null;
  const whole = [error_type, error_message].filter((part) => part !== null).join(": ");
  return (
    <Tooltip label={whole} multiline maw={520} openDelay={300} position="bottom-start">
      <Text size="sm" truncate className={classes.error} component="span" display="block">
        {whole.split("\n", 1)[0]}
      </Text>
    </Tooltip>
  );
}
