/** An execution read as a conversation: its questions, the answers of people, and what its steps give, as it comes. */
import { Skeleton } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useMemo, useRef } from "react";
import { interactionQuery } from "@/api/interactions";
import { newestOutput, useOutput } from "@/api/output";
import type { ExecutionDetail, InteractionDetail } from "@/api/schema.gen";
import { JsonView } from "@/components/ui/json-view";
import { Markdown } from "@/components/ui/markdown";
import { Moment } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { openAttempts, type Turn, textOfAnswer, turnsOf } from "@/domain/conversation";
import type { HeardLines } from "@/domain/log-lines";
import { hasEnded } from "@/domain/status";
import { partsOf } from "@/domain/streamed-output";
import { Part } from "./output-part";
import { Quiet } from "./payload";
import classes from "./streamed-output.module.css";

type ConversationProps = { execution: ExecutionDetail; heard: HeardLines; nameOf: (stepId: string) => string };

const NEAR_PIXELS = 48; // of its end: there it follows what comes

export function Conversation({ execution, heard, nameOf }: ConversationProps) {
  const executionId = execution.execution_id;
  const isOver = hasEnded(execution.status);
  const of = { executionId, stepExecutionId: null, isOver };
  const output = useOutput(of, { newest: newestOutput(heard.lines, null), hasInner: true });
  const details = useDetails(execution);
  const turns = useMemo(() => {
    const open = openAttempts(execution.steps);
    const known = new Set(execution.steps.map((step) => step.step_execution_id));
    // Attempts within others are not among the steps: they may go on as long as the execution does.
    const goesOn = (id: string | null) => id !== null && (open.has(id) || (!known.has(id) && !isOver));
    const parts = partsOf(output.data?.pieces ?? []);
    const newest = parts.at(-1);
    return turnsOf(parts, execution.interactions, details, (part) =>
      part.within === "" ? goesOn(part.stepExecutionId) : part === newest && goesOn(part.stepExecutionId),
    );
  }, [execution.steps, execution.interactions, output.data, details, isOver]);

  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    const talk = list.current;
    if (talk === null) return undefined;
    const look = () => {
      isAtEnd.current = talk.scrollHeight - talk.scrollTop - talk.clientHeight <= NEAR_PIXELS;
    };
    talk.addEventListener("scroll", look, { passive: true });
    return () => talk.removeEventListener("scroll", look);
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: with each turn, it follows
  useLayoutEffect(() => {
    if (list.current !== null && isAtEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [turns]);

  if (output.data === undefined) {
    return output.error === null ? (
      <Skeleton height={160} role="status" aria-label="The conversation is being read" />
    ) : (
      <QueryFailed what="The conversation" error={output.error} retry={() => void output.refetch()} />
    );
  }
  if (turns.length === 0) return <Quiet>No step has given anything as it came.</Quiet>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled by keys
    <ol ref={list} className={classes.talk} aria-label="Conversation" aria-busy={!isOver} tabIndex={0}>
      {turns.map((turn) => (
        <TurnItem key={turn.id} turn={turn} nameOf={nameOf} />
      ))}
    </ol>
  );
}

/** What was answered, by the question's id. */
function useDetails(execution: ExecutionDetail): ReadonlyMap<string, InteractionDetail> {
  const questions = execution.interactions.filter((question) => question.answered_by > 0);
  return useQueries({
    queries: questions.map(({ interaction_id, sequence }) => interactionQuery(interaction_id, sequence)),
    combine: byId,
  });
}

function byId(results: readonly { data: InteractionDetail | undefined }[]): ReadonlyMap<string, InteractionDetail> {
  return new Map(results.flatMap(({ data }) => (data === undefined ? [] : [[data.interaction_id, data]])));
}

function TurnItem({ turn, nameOf }: { turn: Turn; nameOf: (stepId: string) => string }) {
  const isPerson = turn.kind === "answer";
  const who = isPerson ? turn.who : turn.stepId === null ? "A step" : nameOf(turn.stepId);
  return (
    <li className={classes.turn} data-by={isPerson ? "person" : "step"}>
      <div className={classes.by}>
        <b>{who}</b>
        <span className="quiet">
          <Moment at={turn.at} />
        </span>
      </div>
      <div className={classes.bubble}>
        {turn.kind === "output" ? (
          <Part part={turn.part} isGrowing={turn.isGrowing} />
        ) : turn.kind === "question" ? (
          <Markdown text={turn.prompt === "" ? "This step asks a person." : turn.prompt} />
        ) : (
          <Answer response={turn.response} who={who} />
        )}
      </div>
    </li>
  );
}

function Answer({ response, who }: { response: unknown; who: string }) {
  const text = textOfAnswer(response);
  return text === null ? (
    <JsonView value={response} label={`Answer of ${who}`} maxHeight={240} />
  ) : (
    <Markdown text={text} />
  );
}
