/** What an execution is: its status, of what, when, by whom; and what can be done to it. */
import { Anchor, Group, Popover, Text, Title, Tooltip } from "@mantine/core";
import { useDisclosure, useDocumentTitle } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { usageQuery } from "@/api/executions";
import type { LiveState } from "@/api/live";
import type { ExecutionDetail } from "@/api/schema.gen";
import { Announced } from "@/components/ui/announced";
import { CopyBadge } from "@/components/ui/copy-badge";
import { LiveMark } from "@/components/ui/live-mark";
import { ModelTable } from "@/components/ui/model-table";
import { Duration, Moment } from "@/components/ui/moments";
import { StatusBadge } from "@/components/ui/status-badge";
import { shortHash } from "@/domain/copies";
import { progressOf } from "@/domain/progress";
import { shortId } from "@/domain/runs";
import { editsOf } from "@/domain/second-chances";
import { hasEnded, statusWord } from "@/domain/status";
import { startedByText } from "@/domain/triggers";
import { costText, hasUsage, tokensText, unpricedText } from "@/domain/usage";
import { Copied } from "./copied";
import classes from "./execution.module.css";
import { ExecutionActions } from "./execution-actions";

export function ExecutionHeader({ execution, live }: { execution: ExecutionDetail; live: LiveState }) {
  useDocumentTitle(`${statusWord(execution.status)}: ${execution.pipeline_name} · ia_modules`);
  const pipeline = `/pipelines/${encodeURIComponent(execution.pipeline_id)}`;
  return (
    <header className={classes.header}>
      <Announced text={`${execution.pipeline_name}: ${statusWord(execution.status)}`} />
      <Group justify="space-between" gap="sm" align="flex-start">
        <Group gap="sm">
          <Title order={1}>
            <Anchor component={Link} to={pipeline} inherit c="inherit" underline="hover">
              {execution.pipeline_name}
            </Anchor>
          </Title>
          <StatusBadge status={execution.status} size="lg" />
          <CopyBadge execution={execution} />
          <LiveMark state={live} />
        </Group>
        <ExecutionActions execution={execution} />
      </Group>
      <dl className={classes.facts}>
        <Fact name="Execution">
          <Copied text={execution.execution_id} shown={shortId(execution.execution_id)} what="id" />
        </Fact>
        {execution.alias === null ? null : <Fact name="Caller's id">{execution.alias}</Fact>}
        <Fact name="Version">
          {execution.pipeline_version === null ? (
            <span className="quiet">no definition</span>
          ) : (
            <Anchor component={Link} to={`${pipeline}?version=${execution.pipeline_version}`} inherit>
              v{execution.pipeline_version}
            </Anchor>
          )}
        </Fact>
        <Fact name="Queued">
          <Moment at={execution.created_at} />
        </Fact>
        {execution.run_at === null ? null : (
          <Fact name={WAKE_NAMES[execution.status] ?? (execution.started_at === null ? "Due" : "Goes on")}>
            <Maybe at={execution.run_at} />
          </Fact>
        )}
        <Fact name="Started">
          <Maybe at={execution.started_at} />
        </Fact>
        <Fact name={execution.completed_at === null ? "Finished" : statusWord(execution.status)}>
          <Maybe at={execution.completed_at} />
        </Fact>
        <Fact name="Queue time">
          <Duration
            start={execution.status === "waiting" && execution.started_at === null ? null : execution.created_at}
            end={execution.started_at ?? execution.completed_at}
          />
        </Fact>
        <Fact name="Run time">
          <Duration start={execution.started_at} end={execution.completed_at} />
        </Fact>
        <Fact name="Steps">
          <Progress execution={execution} />
        </Fact>
        <Used execution={execution} />
        <Fact name="Started by">{startedByText(execution)}</Fact>
        <Fact name={hasEnded(execution.status) ? "Ran on" : "Worker"}>
          <Worker execution={execution} />
        </Fact>
        {execution.imported_at === null ? null : (
          <>
            <Fact name="Came from">
              a run file, <Moment at={execution.imported_at} />
            </Fact>
            <Fact name="SHA-256 of its rows">
              <Copied text={execution.rows_sha256 ?? ""} shown={shortHash(execution.rows_sha256 ?? "")} what="hash" />
            </Fact>
          </>
        )}
        {execution.trace_url === null ? null : (
          <Fact name="Trace">
            <Anchor href={execution.trace_url} target="_blank" rel="noopener noreferrer" inherit>
              {execution.trace_id.slice(0, 8)}…
            </Anchor>
          </Fact>
        )}
        {execution.rerun_of === null ? null : (
          <Fact name="Re-run of">
            <ExecutionLink id={execution.rerun_of} />
          </Fact>
        )}
        {editsOf(execution).map(({ step_id, iteration, edited, by }) => (
          <Fact key={`${step_id}#${iteration}`} name={edited === "input" ? "Another input" : "Result given"}>
            <Anchor component={Link} to={`?step=${encodeURIComponent(step_id)}&run=${iteration}.1`} inherit>
              {step_id}
              {iteration > 1 ? `#${iteration}` : ""}
            </Anchor>
            {`, by ${by}`}
          </Fact>
        ))}
        {execution.rerun_ids.length === 0 ? null : (
          <Fact name={execution.rerun_ids.length === 1 ? "Re-run" : "Re-runs"}>
            <Group gap={8}>
              {execution.rerun_ids.slice(0, 5).map((id) => (
                <ExecutionLink key={id} id={id} />
              ))}
              {execution.rerun_ids.length > 5 ? (
                <span className="quiet">
                  and {execution.rerun_ids.length - 5}
                  {execution.rerun_ids.length === 20 ? " or more" : ""}
                </span>
              ) : null}
            </Group>
          </Fact>
        )}
      </dl>
    </header>
  );
}

/** What its time to go on is called, where it is not the one time that it waits for. */
const WAKE_NAMES: Partial<Record<ExecutionDetail["status"], string>> = { waiting_for_human: "No later than" };

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd className="numbers">{children}</dd>
    </div>
  );
}

/** What its calls of models used; by model where one asks for it. */
function Used({ execution }: { execution: ExecutionDetail }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const { data } = useQuery({
    ...usageQuery(execution.execution_id, execution.sequence),
    enabled: hasUsage(execution),
  });
  if (!hasUsage(execution)) return null;
  const missing = unpricedText(execution.unpriced_calls);
  return (
    <>
      <Fact name="Tokens">{tokensText(execution)}</Fact>
      <Fact name="Cost">
        {costText(execution.cost_micros, data?.currency)}
        {missing === null ? null : <span className="quiet">, {missing}</span>}{" "}
        <Popover opened={opened} onDismiss={close} position="bottom-start" withArrow returnFocus>
          <Popover.Target>
            <Anchor component="button" type="button" inherit aria-expanded={opened} onClick={toggle}>
              by model
            </Anchor>
          </Popover.Target>
          <Popover.Dropdown>
            <ModelTable models={data?.models ?? []} currency={data?.currency ?? ""} />
          </Popover.Dropdown>
        </Popover>
      </Fact>
    </>
  );
}

function Maybe({ at }: { at: string | null }) {
  return at === null ? <span className="quiet">–</span> : <Moment at={at} />;
}

function Progress({ execution }: { execution: ExecutionDetail }) {
  const { done, failed, total } = progressOf(execution);
  return (
    <>
      {hasEnded(execution.status) ? `${total} ran` : `${total > 0 ? `${done} of ${total}` : done} done`}
      {failed > 0 ? <Text span inherit className={classes.red}>{`, ${failed} failed`}</Text> : null}
    </>
  );
}

function Worker({ execution }: { execution: ExecutionDetail }) {
  const { owner, recoveries, imported_at, status } = execution;
  const nobody = imported_at !== null ? "elsewhere" : hasEnded(status) ? "–" : "nobody yet";
  return (
    <>
      {owner === null ? <span className="quiet">{nobody}</span> : <span className="mono">{owner}</span>}
      {recoveries > 0 ? (
        <Tooltip label="How often another process took it over from one that was gone" multiline maw={260}>
          <span>{`, recovered ${recoveries === 1 ? "once" : `${recoveries} times`}`}</span>
        </Tooltip>
      ) : null}
    </>
  );
}

function ExecutionLink({ id }: { id: string }) {
  return (
    <Anchor component={Link} to={`/executions/${encodeURIComponent(id)}`} inherit className="mono" title={id}>
      {shortId(id)}
    </Anchor>
  );
}
