/** What an execution waits for: each question to people that is open, with the form for who may answer it. */
import { Anchor, Button, Group, Skeleton, Text, Title } from "@mantine/core";
import { IconUser } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { interactionQuery } from "@/api/interactions";
import type { ExecutionDetail, InteractionDetail, InteractionOut } from "@/api/schema.gen";
import { sessionQuery } from "@/api/session";
import { JsonView } from "@/components/ui/json-view";
import { Markdown } from "@/components/ui/markdown";
import { QueryFailed } from "@/components/ui/notices";
import { isObject } from "@/domain/json";
import { assignedText, progressText, standingText, timeoutText, whyNotAnswer } from "@/domain/questions";
import { AnswerPanel } from "@/features/inbox/answer-panel";
import { Deadline } from "@/features/inbox/deadline";
import classes from "@/features/inbox/inbox.module.css";

/** A step with a map may ask about thousands; the inbox has them in pages. */
const MOST_SHOWN = 3;

type QuestionBannerProps = { execution: ExecutionDetail; nameOf: (stepId: string) => string };

export function QuestionBanner({ execution, nameOf }: QuestionBannerProps) {
  // What is typed stays, also when somebody else was first.
  const [typed, setTyped] = useState<ReadonlySet<string>>(new Set());
  const shown = execution.interactions.filter(
    ({ interaction_id, status }) => status === "pending" || typed.has(interaction_id),
  );
  if (shown.length === 0) return null;
  return (
    <section className={classes.banners} aria-label="Waiting for people">
      {shown.slice(0, MOST_SHOWN).map((question) => (
        <OpenQuestion
          key={question.interaction_id}
          question={question}
          stepName={nameOf(question.step_id)}
          isAlone={shown.length === 1}
          onTyped={(isTyped) =>
            setTyped((before) => {
              const after = new Set(before);
              if (isTyped) after.add(question.interaction_id);
              else after.delete(question.interaction_id);
              return after;
            })
          }
        />
      ))}
      {shown.length > MOST_SHOWN ? (
        <Anchor component={Link} to={`/inbox?execution_id=${encodeURIComponent(execution.execution_id)}`} size="sm">
          All that this execution waits for, in the inbox
        </Anchor>
      ) : null}
    </section>
  );
}

type OpenQuestionProps = {
  question: InteractionOut;
  stepName: string;
  isAlone: boolean;
  onTyped: (isTyped: boolean) => void;
};

function OpenQuestion({ question, stepName, isAlone, onTyped }: OpenQuestionProps) {
  const { data: session } = useQuery(sessionQuery);
  const [chosen, setChosen] = useState<boolean | null>(null);
  const why = session === undefined ? null : whyNotAnswer(question, session);
  const isOpen = (chosen ?? isAlone) && why === null && session !== undefined;
  const progress = progressText(question);
  const address = `/inbox/${encodeURIComponent(question.interaction_id)}`;
  return (
    <article className={`panel ${classes.banner}`}>
      <Group justify="space-between" gap="xs" align="flex-start">
        <Group gap={6} wrap="nowrap">
          <IconUser size={16} stroke={2.2} color="var(--ia-status-waiting)" aria-hidden />
          <Title order={2}>
            {stepName} waits for {assignedText(question)}
          </Title>
        </Group>
        <Group gap="sm">
          <Text size="sm" component="span">
            {question.deadline_at === null ? null : <span className="quiet">Deadline </span>}
            <Deadline at={question.deadline_at} />
          </Text>
          <Anchor component={Link} to={address} size="sm">
            In the inbox
          </Anchor>
        </Group>
      </Group>
      {question.prompt === null ? null : (
        <Text size="sm" component="div" mt={6}>
          <Markdown text={question.prompt} />
        </Text>
      )}
      {progress === null ? null : (
        <Text size="xs" className="quiet" mt={4}>
          {progress}
        </Text>
      )}
      {why !== null ? (
        <Text size="sm" className="quiet" mt={6}>
          {why}
        </Text>
      ) : isOpen ? (
        <div className={classes.bannerForm}>
          <Form question={question} onTyped={onTyped} />
        </div>
      ) : (
        <Button size="compact-sm" variant="default" mt="xs" onClick={() => setChosen(true)}>
          Answer…
        </Button>
      )}
    </article>
  );
}

/** What those have said who have answered, who has not, and what the deadline decides. */
function Standing({ question }: { question: InteractionDetail }) {
  const [soFar, atDeadline] = [standingText(question, question.responses), timeoutText(question)];
  const lines = [soFar, atDeadline === null ? null : `If it is not decided by its deadline, ${atDeadline}.`];
  return lines.map((line) =>
    line === null ? null : (
      <Text key={line} size="xs" className="quiet" mb={6}>
        {line}
      </Text>
    ),
  );
}

/** The row of the execution has no data and no answers: the question is read, and again when its row has changed. */
function Form({ question: { interaction_id, sequence }, onTyped }: Pick<OpenQuestionProps, "question" | "onTyped">) {
  const { data, error, refetch } = useQuery(interactionQuery(interaction_id, sequence));
  if (data === undefined) {
    if (error === null) return <Skeleton height={120} role="status" aria-label="The form is being read" />;
    return <QueryFailed what="The question" error={error} retry={() => void refetch()} />;
  }
  return (
    <>
      {isObject(data.data) && Object.keys(data.data).length === 0 ? null : (
        <JsonView value={data.data} label="Data of the question" maxHeight={220} />
      )}
      <Standing question={data} />
      <AnswerPanel question={data} onTyped={onTyped} />
    </>
  );
}
