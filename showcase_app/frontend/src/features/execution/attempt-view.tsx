/** One attempt, of a step or of a run within one: which of all it is, its facts, and everything in tabs. */
import {
  Anchor,
  Button,
  Group,
  Progress,
  ScrollArea,
  SegmentedControl,
  Skeleton,
  Stack,
  Table,
  Tabs,
  Text,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Suspense, useMemo } from "react";
import { Link } from "react-router";
import { stepInputQuery } from "@/api/executions";
import { newestOutput, useOutput } from "@/api/output";
import type { ExecutionDetail, GraphNode, InteractionOut, StepDetail } from "@/api/schema.gen";
import { lazyPart } from "@/components/ui/lazy-part";
import { Markdown } from "@/components/ui/markdown";
import { Moment, RunTime, WaitingTime } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { StatusIcon } from "@/components/ui/status-badge";
import { segmentsByAttempt, type Times, timesOfAttempt, timesTogether } from "@/domain/durations";
import type { HeardLines } from "@/domain/log-lines";
import { placeText, shortNode } from "@/domain/places";
import { fellBack, isOver } from "@/domain/runs";
import { statusWord } from "@/domain/status";
import { partsOf } from "@/domain/streamed-output";
import { costText, currencyOf, hasUsage, modelsText, tokensText, unpricedText } from "@/domain/usage";
import { Copied } from "./copied";
import classes from "./execution.module.css";
import { LogView } from "./log-view";
import { Payload, Quiet } from "./payload";
import { Traceback } from "./traceback";
import type { Selection } from "./use-selection";
import { useWholeStep, type WholeStep } from "./use-whole-step";

const StreamedOutput = lazyPart(async () => (await import("./streamed-output")).StreamedOutput);

const MOST_SEGMENTS = 24;

type SegmentsProps = { attempts: StepDetail[]; attempt: StepDetail; node: GraphNode | undefined; selection: Selection };

/** All attempts beside each other, as long as they are few; the newest ones otherwise (the tab has all). */
export function AttemptSegments({ attempts, attempt, node, selection }: SegmentsProps) {
  if (attempts.length < 2) return null;
  const shown = attempts.slice(-MOST_SEGMENTS);
  if (!shown.includes(attempt)) shown.unshift(attempt);
  const loops = attempts.at(-1)?.iteration !== attempts[0]?.iteration;
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

export function timesByAttempt(attempts: readonly StepDetail[], interactions: readonly InteractionOut[]): AttemptTimes {
  const segments = segmentsByAttempt(attempts, interactions);
  return new Map(
    attempts.map((each) => [each.step_execution_id, timesOfAttempt(each, segments.get(each.step_execution_id) ?? [])]),
  );
}

type FactsProps = { attempt: StepDetail; times: AttemptTimes; owner: string | null };

export function AttemptFacts({ attempt, times, owner }: FactsProps) {
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
        {hasUsage(attempt) ? <UsedFacts attempt={attempt} /> : null}
        {attempt.started_at === null || attempt.worker === null || attempt.worker === owner ? null : (
          <div className={classes.fact}>
            <dt>Worker</dt>
            <dd className="mono">{attempt.worker}</dd>
          </div>
        )}
        {attempt.place === null ? null : (
          <div className={classes.fact}>
            <dt>Ray node</dt>
            <dd className={classes.place}>
              <Copied text={attempt.place.node} shown={shortNode(attempt.place.node)} what="node id" />
              {placeText(attempt.place)}
            </dd>
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

/** What its own calls of models used; what is called within it has its own. */
function UsedFacts({ attempt }: { attempt: StepDetail }) {
  const missing = unpricedText(attempt.unpriced_calls);
  const facts = [
    { name: "Model", text: modelsText(attempt.usage) },
    { name: "Tokens", text: tokensText(attempt) },
    {
      name: "Cost",
      text: [costText(attempt.cost_micros, currencyOf(attempt.usage)), missing]
        .filter((each) => each !== null)
        .join(", "),
    },
    ...(attempt.first_token_ms === null
      ? []
      : [{ name: "First token", text: `${attempt.first_token_ms.toLocaleString("en")} ms` }]),
  ];
  return facts.map(({ name, text }) => (
    <div key={name} className={classes.fact}>
      <dt>{name}</dt>
      <dd className="numbers">{text}</dd>
    </div>
  ));
}

/** The question to a person, and who answered. */
export function Question({ interaction }: { interaction: InteractionOut | undefined }) {
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
  if (attempt.status === "lost" && attempt.step_type === "inner")
    notes.push(
      "An answer that it had by then is not on record, nor what it cost: the call is made again with its step.",
    );
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

export function AttemptTabs({ execution, selection, attempt, attempts, times, nameOf, heard }: AttemptTabsProps) {
  const whole = useWholeStep(attempt);
  const hasError = attempt.error_type !== null || attempt.error_message !== null;
  const over = isOver(attempt);
  const output = useOutput(
    { executionId: execution.execution_id, stepExecutionId: attempt.step_execution_id, isOver: over },
    { newest: newestOutput(heard.lines, attempt.step_execution_id), hasInner: attempt.within !== "" },
  );
  const parts = useMemo(() => partsOf(output.data?.pieces ?? []), [output.data]);
  const usual = hasError && !fellBack(attempt) ? "error" : over || parts.length > 0 ? "output" : "logs";
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
        {parts.length === 0 ? null : (
          <Suspense fallback={<Skeleton height={80} role="status" aria-label="The output is being read" />}>
            <StreamedOutput of={attempt.step_name} parts={parts} isOver={over} />
          </Suspense>
        )}
        {output.isError ? (
          <QueryFailed what="What it gave as it came" error={output.error} retry={() => void output.refetch()} />
        ) : null}
        <Payload
          label={`Output of ${attempt.step_name}`}
          value={whole.step.output_data}
          bytes={attempt.output_bytes}
          known={whole.known}
          error={whole.error}
          retry={whole.retry}
          none={over ? `It has no output: ${statusWord(attempt.status).toLowerCase()}.` : "It has not ended yet."}
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
          running={!over}
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
      {refs === null || refs.parents === undefined ? null : (
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
      {refs?.state && whole.step.input_data === null ? null : attempt.within !== "" && attempt.input_bytes === 0 ? (
        <InputMadeAgain attempt={attempt} execution={execution} />
      ) : (
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

/** A large input of an item is not stored with each: it is made again from what its list was made of. */
function InputMadeAgain({ attempt, execution }: Pick<InputProps, "attempt" | "execution">) {
  const input = useQuery(stepInputQuery(execution.execution_id, attempt.step_execution_id));
  return (
    <Payload
      label={`Input of ${attempt.step_name}`}
      value={input.data?.step_input ?? null}
      known={input.data !== undefined}
      error={input.error}
      retry={() => void input.refetch()}
      none="It has no input."
    />
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
