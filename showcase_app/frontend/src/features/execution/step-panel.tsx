/** Everything about one attempt of a step. */
import {
  ActionIcon,
  Anchor,
  Button,
  Group,
  Progress,
  ScrollArea,
  SegmentedControl,
  Stack,
  Table,
  Tabs,
  Text,
  Title,
} from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useMemo } from "react";
import { Link } from "react-router";
import type { ExecutionDetail, GraphNode, InteractionOut, StepDetail } from "@/api/schema.gen";
import { Markdown } from "@/components/ui/markdown";
import { Moment, RunTime, WaitingTime } from "@/components/ui/moments";
import { StatusBadge, StatusIcon } from "@/components/ui/status-badge";
import { segmentsByAttempt, type Times, timesOfAttempt, timesTogether } from "@/domain/durations";
import type { HeardLines } from "@/domain/log-lines";
import { attemptsOf, fellBack, isOver } from "@/domain/runs";
import { editsOf, editText } from "@/domain/second-chances";
import { hasEnded, statusWord } from "@/domain/status";
import classes from "./execution.module.css";
import { LogView } from "./log-view";
import { Payload, Quiet } from "./payload";
import { RerunFromHere } from "./rerun-from-here";
import { RoutesList } from "./routes-list";
import { Traceback } from "./traceback";
import type { Selection } from "./use-selection";
import { useWholeStep, type WholeStep } from "./use-whole-step";

const MOST_SEGMENTS = 24;

type StepPanelProps = {
  execution: ExecutionDetail;
  selection: Selection;
  stepId: string;
  node: GraphNode | undefined;
  nameOf: (stepId: string) => string;
  heard: HeardLines;
};

export function StepPanel({ execution, selection, stepId, node, nameOf, heard }: StepPanelProps) {
  const { attempt } = selection;
  const attempts = useMemo(() => attemptsOf(execution.steps, stepId), [execution.steps, stepId]);
  const times = useMemo(() => timesByAttempt(attempts, execution.interactions), [attempts, execution.interactions]);
  return (
    <section className={`panel ${classes.panel}`} aria-label={`Step ${nameOf(stepId)}`}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
        <Group gap="xs">
          <Title order={2}>{nameOf(stepId)}</Title>
          {attempt === null ? null : <StatusBadge status={attempt.status} />}
        </Group>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label="Close the step, and show the execution"
          onClick={() => selection.selectStep(null)}
        >
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
      <Text size="xs" className="quiet" mt={2}>
        <span className="mono">{stepId}</span>
        {node?.step_class == null ? null : ` · ${[node.module, node.step_class].filter(Boolean).join(".")}`}
        {node?.description == null ? null : ` · ${node.description}`}
      </Text>
      {attempt === null ? (
        <Quiet>
          {hasEnded(execution.status)
            ? "It did not run in this execution."
            : "It has not begun. Whether it does depends on the paths taken."}
        </Quiet>
      ) : (
        <>
          <AttemptSegments attempts={attempts} attempt={attempt} node={node} selection={selection} />
          <AttemptFacts attempt={attempt} times={times} owner={execution.owner} />
          <Origin attempt={attempt} execution={execution} />
          <Question
            interaction={execution.interactions.find((each) => each.step_execution_id === attempt.step_execution_id)}
          />
          <Group mt={6}>
            <RerunFromHere execution={execution} attempt={attempt} />
          </Group>
          <RoutesList routes={attempt.routes} nameOf={nameOf} onSelect={(id) => selection.selectStep(id)} />
          <AttemptTabs
            key={attempt.step_execution_id}
            execution={execution}
            selection={selection}
            attempt={attempt}
            attempts={attempts}
            times={times}
            nameOf={nameOf}
            heard={heard}
          />
        </>
      )}
    </section>
  );
}

type SegmentsProps = { attempts: StepDetail[]; attempt: StepDetail; node: GraphNode | undefined; selection: Selection };

/** All attempts beside each other, as long as they are few; the newest ones otherwise (the tab has all). */
function AttemptSegments({ attempts, attempt, node, selection }: SegmentsProps) {
  if (attempts.length < 2) return null;
  const shown = attempts.slice(-MOST_SEGMENTS);
  if (!shown.includes(attempt)) shown.unshift(attempt);
  const loops = (attempts.at(-1)?.iteration ?? 1) > 1;
  const most = node !== undefined && node.max_iterations > 1 ? ` of at most ${node.max_iterations}` : "";
  return (
    <div>
      <Text size="xs" className="quiet" mt="xs" mb={4}>
        {loops ? `Iteration ${attempt.iteration}${most}` : ""}
        {loops && attempt.attempt > 1 ? ", " : ""}
        {!loops || attempt.attempt > 1 ? `Attempt ${attempt.attempt}` : ""}
      </Text>
      <ScrollArea type="auto" scrollbarSize={6}>
        <SegmentedControl
          size="xs"
          aria-label={loops ? "Iteration and attempt" : "Attempt"}
          value={attempt.step_execution_id}
          onChange={(id) =>
            selection.selectStep(
              attempt.step_id,
              attempts.find((each) => each.step_execution_id === id),
            )
          }
          data={shown.map((each) => ({
            value: each.step_execution_id,
            label: (
              <Group gap={4} wrap="nowrap" component="span">
                <StatusIcon status={each.status} size={12} />
                <span className="numbers">{segmentWord(each, loops)}</span>
              </Group>
            ),
          }))}
        />
      </ScrollArea>
    </div>
  );
}

function segmentWord(attempt: StepDetail, loops: boolean): string {
  if (!loops) return String(attempt.attempt);
  return attempt.attempt > 1 ? `${attempt.iteration} · ${attempt.attempt}` : String(attempt.iteration);
}

/** Of the attempts of one step, by their ids. */
type AttemptTimes = ReadonlyMap<string, Times>;

function timesByAttempt(attempts: readonly StepDetail[], interactions: readonly InteractionOut[]): AttemptTimes {
  const segments = segmentsByAttempt(attempts, interactions);
  return new Map(
    attempts.map((each) => [each.step_execution_id, timesOfAttempt(each, segments.get(each.step_execution_id) ?? [])]),
  );
}

type FactsProps = { attempt: StepDetail; times: AttemptTimes; owner: string | null };

function AttemptFacts({ attempt, times, owner }: FactsProps) {
  const mine = times.get(attempt.step_execution_id);
  return (
    <>
      <dl className={classes.facts} data-small>
        <div className={classes.fact}>
          <dt>Started</dt>
          <dd>{attempt.started_at === null ? <span className="quiet">–</span> : <Moment at={attempt.started_at} />}</dd>
        </div>
        <div className={classes.fact}>
          <dt>Run time</dt>
          <dd>
            <AttemptTime times={mine} />
          </dd>
        </div>
        <div className={classes.fact}>
          <dt>Waiting</dt>
          <dd title="For its place in the queue, before a retry, for a person">
            {mine === undefined ? null : <WaitingTime times={mine} />}
          </dd>
        </div>
        {times.size < 2 ? null : (
          <div className={classes.fact}>
            <dt>Run time, all {times.size.toLocaleString("en")} attempts</dt>
            <dd>
              <RunTime times={timesTogether([...times.values()])} />
            </dd>
          </div>
        )}
        {attempt.status !== "pending" || attempt.wake_at === null ? null : (
          <div className={classes.fact}>
            <dt>Begins</dt>
            <dd>
              <Moment at={attempt.wake_at} />
            </dd>
          </div>
        )}
        {attempt.started_at === null || attempt.worker === null || attempt.worker === owner ? null : (
          <div className={classes.fact}>
            <dt>Worker</dt>
            <dd className="mono">{attempt.worker}</dd>
          </div>
        )}
      </dl>
      {attempt.progress === null && attempt.progress_message === null ? null : (
        <div className={classes.progress}>
          {attempt.progress === null || isOver(attempt) ? null : (
            <Progress value={attempt.progress * 100} aria-label="Progress" size="sm" />
          )}
          <Text size="xs" className="quiet numbers">
            {attempt.progress === null ? "" : `${Math.round(attempt.progress * 100)} % `}
            {attempt.progress_message}
          </Text>
        </div>
      )}
      {notesOf(attempt).map((note) => (
        <Text key={note} size="sm" className={classes.note}>
          {note}
        </Text>
      ))}
    </>
  );
}

/** Where its result or its input is from, where that is not its own run. */
function Origin({ attempt, execution }: { attempt: StepDetail; execution: ExecutionDetail }) {
  const rerunOf = execution.rerun_of;
  const edit = editsOf(execution).find(
    ({ step_id, iteration }) => step_id === attempt.step_id && iteration === attempt.iteration,
  );
  return (
    <>
      {attempt.copied_from === null ? null : (
        <Text size="sm" className={classes.note}>
          It did not run here: its result, and an answer that it has, are copied from{" "}
          {rerunOf === null ? (
            "an earlier execution"
          ) : (
            <Anchor
              component={Link}
              to={`/executions/${encodeURIComponent(rerunOf)}?step=${encodeURIComponent(attempt.step_id)}`}
              inherit
            >
              the execution that this one repeats
            </Anchor>
          )}
          .
        </Text>
      )}
      {edit === undefined ? null : (
        <Text size="sm" className={classes.note}>
          {editText(edit)}
        </Text>
      )}
    </>
  );
}

/** The question to a person, and who answered. */
function Question({ interaction }: { interaction: InteractionOut | undefined }) {
  if (interaction === undefined) return null;
  return (
    <Text size="sm" component="div" className={classes.note} data-asks>
      <Markdown text={interaction.prompt ?? "This step asks a person."} />
      <Text size="xs" className="quiet" component="div">
        {interaction.completed_at !== null ? (
          <>
            {interaction.status === "answered" ? answeredBy(interaction) : ENDED_WORDS[interaction.status]}{" "}
            <Moment at={interaction.completed_at} />
          </>
        ) : interaction.deadline_at === null ? (
          "No deadline"
        ) : (
          <>
            Deadline: <Moment at={interaction.deadline_at} />
          </>
        )}{" "}
        <Anchor component={Link} to={`/inbox/${encodeURIComponent(interaction.interaction_id)}`} inherit>
          In the inbox
        </Anchor>
      </Text>
    </Text>
  );
}

function answeredBy(interaction: InteractionOut): string {
  if (interaction.answers !== 1) return `Answered by ${interaction.answered_by} people`;
  return `Answered by ${interaction.actor ?? "somebody"}${interaction.verified ? "" : " (not verified)"}`;
}

const ENDED_WORDS: Readonly<Record<InteractionOut["status"], string>> = {
  pending: "Open",
  answered: "Answered",
  expired: "Not answered before the deadline:",
  cancelled: "Closed without an answer",
};

/** What is special about an attempt, in sentences. */
function notesOf(attempt: StepDetail): string[] {
  const notes: string[] = [];
  if (fellBack(attempt)) notes.push(`Its code failed (${attempt.error_type}); the output is that of its fallback.`);
  if (attempt.status === "failed" && attempt.routes?.next === "paths")
    notes.push("It failed, and the execution went on.");
  if (attempt.status === "lost") notes.push("It did not end: its process was gone or did not answer.");
  if (attempt.retry_count > 0) notes.push(`The program retried ${attempt.retry_count} times inside this attempt.`);
  return notes;
}

type AttemptTabsProps = {
  execution: ExecutionDetail;
  selection: Selection;
  attempt: StepDetail;
  attempts: StepDetail[];
  times: AttemptTimes;
  nameOf: (stepId: string) => string;
  heard: HeardLines;
};

const TABS = ["output", "input", "error", "logs", "attempts"];

function AttemptTabs({ execution, selection, attempt, attempts, times, nameOf, heard }: AttemptTabsProps) {
  const whole = useWholeStep(attempt);
  const hasError = attempt.error_type !== null || attempt.error_message !== null;
  const usual = hasError && !fellBack(attempt) ? "error" : isOver(attempt) ? "output" : "logs";
  const tab = selection.tab !== null && TABS.includes(selection.tab) ? selection.tab : usual;
  return (
    <Tabs
      value={tab}
      onChange={selection.selectTab}
      keepMounted={false}
      mt="xs"
      classNames={{ panel: classes.tabPanel, tab: classes.tab }}
    >
      <Tabs.List>
        <Tabs.Tab value="output">Output</Tabs.Tab>
        <Tabs.Tab value="input">Input</Tabs.Tab>
        <Tabs.Tab value="error" className={hasError ? classes.red : undefined}>
          Error
        </Tabs.Tab>
        <Tabs.Tab value="logs">Logs</Tabs.Tab>
        <Tabs.Tab value="attempts">Attempts</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="output">
        <Payload
          label={`Output of ${attempt.step_name}`}
          value={whole.step.output_data}
          bytes={attempt.output_bytes}
          known={whole.known}
          error={whole.error}
          retry={whole.retry}
          none={
            isOver(attempt) ? `It has no output: ${statusWord(attempt.status).toLowerCase()}.` : "It has not ended yet."
          }
        />
      </Tabs.Panel>
      <Tabs.Panel value="input">
        <Input whole={whole} attempt={attempt} nameOf={nameOf} selection={selection} execution={execution} />
      </Tabs.Panel>
      <Tabs.Panel value="error">
        <StepFailure whole={whole} attempt={attempt} hasError={hasError} />
      </Tabs.Panel>
      <Tabs.Panel value="logs">
        <LogView
          executionId={execution.execution_id}
          stepExecutionId={attempt.step_execution_id}
          of={attempt.step_name}
          heard={heard}
          running={!isOver(attempt)}
        />
      </Tabs.Panel>
      <Tabs.Panel value="attempts">
        <AttemptTable attempts={attempts} times={times} attempt={attempt} selection={selection} />
      </Tabs.Panel>
    </Tabs>
  );
}

type InputProps = {
  whole: WholeStep;
  attempt: StepDetail;
  nameOf: (stepId: string) => string;
  selection: Selection;
  execution: ExecutionDetail;
};

function Input({ whole, attempt, nameOf, selection, execution }: InputProps) {
  const refs = whole.known ? whole.step.input_refs : null;
  const parents = refs?.parents ?? [];
  return (
    <Stack gap="xs">
      {refs === null ? null : (
        <Text size="sm" component="div">
          {refs.state ? "Its input is the state" : "It follows"}
          {parents.length === 0
            ? refs.state
              ? ", which is the input of the execution."
              : " the start."
            : refs.state
              ? " after: "
              : ": "}
          {parents.map(([stepId, iteration], place) => (
            <span key={`${stepId} ${iteration}`}>
              {place === 0 ? "" : ", "}
              <Button
                variant="subtle"
                size="compact-xs"
                px={3}
                onClick={() =>
                  selection.selectStep(
                    stepId,
                    execution.steps.findLast((step) => step.step_id === stepId && step.iteration === iteration),
                  )
                }
              >
                {nameOf(stepId)}#{iteration}
              </Button>
            </span>
          ))}
        </Text>
      )}
      {refs?.left_out?.map(({ where, why }) => (
        <Text key={where} size="sm" className={classes.leftOut}>
          <b className="mono">{where}</b> was left out: {why}
        </Text>
      ))}
      {refs?.state && whole.step.input_data === null ? null : (
        <Payload
          label={`Input of ${attempt.step_name}`}
          value={whole.step.input_data}
          bytes={attempt.input_bytes}
          known={whole.known}
          error={whole.error}
          retry={whole.retry}
          none="It has no input."
        />
      )}
    </Stack>
  );
}

function StepFailure({ whole, attempt, hasError }: { whole: WholeStep; attempt: StepDetail; hasError: boolean }) {
  if (!hasError) return <Quiet>It has no error.</Quiet>;
  const { traceback } = whole.step;
  return (
    <Stack gap="xs">
      <Text size="sm" className={classes.failure}>
        {attempt.error_type === null ? null : <b className="mono">{attempt.error_type}</b>}
        {attempt.error_type !== null && attempt.error_message !== null ? ": " : null}
        {attempt.error_message}
      </Text>
      {traceback === null ? (
        <Quiet>{whole.known ? "There is no traceback." : "Its traceback is being read."}</Quiet>
      ) : (
        <Traceback text={traceback} />
      )}
    </Stack>
  );
}

function AttemptTime({ times }: { times: Times | undefined }) {
  return times === undefined ? null : <RunTime times={times} />;
}

type AttemptTableProps = {
  attempts: StepDetail[];
  times: AttemptTimes;
  attempt: StepDetail;
  selection: Selection;
};
const MOST_ATTEMPTS = 200;

function AttemptTable({ attempts, times, attempt, selection }: AttemptTableProps) {
  const shown = attempts.slice(-MOST_ATTEMPTS);
  return (
    <>
      <Table.ScrollContainer minWidth={420}>
        <Table verticalSpacing={6} fz="sm" highlightOnHover className={classes.attempts}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Iteration</Table.Th>
              <Table.Th>Attempt</Table.Th>
              <Table.Th>Status</Table.Th>
              <Table.Th ta="right">Run time</Table.Th>
              <Table.Th>Error</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((each) => (
              <Table.Tr
                key={each.step_execution_id}
                data-selected={each === attempt || undefined}
                className={classes.attempt}
              >
                <Table.Td className="numbers">{each.iteration}</Table.Td>
                <Table.Td>
                  <Button
                    variant={each === attempt ? "light" : "subtle"}
                    size="compact-xs"
                    aria-label={`Show iteration ${each.iteration}, attempt ${each.attempt}`}
                    aria-pressed={each === attempt}
                    onClick={() => selection.selectStep(each.step_id, each)}
                  >
                    {each.attempt}
                  </Button>
                </Table.Td>
                <Table.Td>
                  <Group gap={6} wrap="nowrap">
                    <StatusIcon status={each.status} size={14} />
                    {statusWord(each.status)}
                  </Group>
                </Table.Td>
                <Table.Td ta="right">
                  <AttemptTime times={times.get(each.step_execution_id)} />
                </Table.Td>
                <Table.Td>{each.error_type === null ? "" : <span className="mono">{each.error_type}</span>}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {shown.length < attempts.length ? (
        <Quiet>
          The newest {shown.length} of {attempts.length.toLocaleString("en")}; the timeline has all of them.
        </Quiet>
      ) : null}
    </>
  );
}
