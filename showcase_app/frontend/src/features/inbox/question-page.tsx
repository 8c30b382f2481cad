/** One question to people: what is asked, what led to it, the form of the answer, and everything that was answered. */
import { Anchor, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { IconChevronLeft } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useParams } from "react-router";
import { ApiError } from "@/api/client";
import { interactionKeys, interactionQuery } from "@/api/interactions";
import type { LiveState } from "@/api/live";
import { useInvalidatedByExecution } from "@/api/live-list";
import type { InteractionDetail } from "@/api/schema.gen";
import { useOnlyAnswers } from "@/api/session";
import { Announced } from "@/components/ui/announced";
import { LiveMark } from "@/components/ui/live-mark";
import { Markdown } from "@/components/ui/markdown";
import { Moment } from "@/components/ui/moments";
import { Nothing, NotThere, QueryFailed } from "@/components/ui/notices";
import { isObject } from "@/domain/json";
import {
  assignedText,
  firstLine,
  progressText,
  questionStatusWord,
  standingText,
  timeoutText,
} from "@/domain/questions";
import { shortId } from "@/domain/runs";
import { AnswerPanel } from "./answer-panel";
import { AnswersOnRecord } from "./answers-on-record";
import { AskOthers } from "./ask-others";
import { Deadline } from "./deadline";
import classes from "./inbox.module.css";
import { LedTo } from "./led-to";
import { QuestionBadge } from "./question-badge";

export function Component() {
  const { interactionId = "" } = useParams();
  const { data: question, error, refetch } = useQuery(interactionQuery(interactionId));
  const live = useInvalidatedByExecution(question?.execution_id, interactionKeys.detail(interactionId));
  return (
    <>
      <Anchor component={Link} to="/inbox" className={classes.back}>
        <IconChevronLeft size={15} aria-hidden />
        Inbox
      </Anchor>
      {question !== undefined ? (
        <Question key={interactionId} question={question} live={live} />
      ) : error === null ? (
        <Loading />
      ) : (
        <NoQuestion error={error} retry={() => void refetch()} />
      )}
    </>
  );
}

function NoQuestion({ error, retry }: { error: Error; retry: () => void }) {
  const status = error instanceof ApiError ? error.status : 0;
  if (status === 404) {
    const title = "There is no question with this id";
    return <NotThere title={title} why="Its execution may have been deleted." to="/inbox" others="All questions" />;
  }
  if (status === 403) return <Nothing title="This question is not for you">{error.message}</Nothing>;
  return <QueryFailed what="The question" error={error} retry={retry} />;
}

function Question({ question, live }: { question: InteractionDetail; live: LiveState }) {
  const { prompt, ui_schema, responses } = question;
  const form = isObject(ui_schema) ? ui_schema : {};
  useDocumentTitle(`${questionStatusWord(question.status)}: ${firstLine(prompt ?? question.step_id)} · ia_modules`);
  return (
    <>
      <Announced text={questionStatusWord(question.status)} />
      <Group gap="sm" mb="sm">
        <Title order={1}>
          {question.pipeline_name}: {question.step_id}
        </Title>
        <QuestionBadge status={question.status} />
        <LiveMark state={live} />
      </Group>
      <Facts question={question} />
      <div className={classes.columns}>
        <div className={classes.column}>
          <Part title="Question">
            {prompt === null ? <Text className="quiet">The step asks for an answer.</Text> : <Markdown text={prompt} />}
          </Part>
          <Part title="What led to it">
            <LedTo question={question} label="Data of the question" maxHeight="min(56vh, 560px)" />
          </Part>
        </div>
        <div className={classes.column}>
          <Part title={titleOf(question)}>
            {typeof form.description === "string" ? (
              <Text size="sm" className="quiet" mb="sm">
                {form.description}
              </Text>
            ) : null}
            <AnswerPanel question={question} />
          </Part>
          {responses.length === 0 ? null : (
            <Part title={responses.length === 1 ? "Answer on record" : "Answers on record"}>
              <AnswersOnRecord question={question} />
            </Part>
          )}
        </div>
      </div>
    </>
  );
}

function titleOf({ status, ui_schema }: InteractionDetail): string {
  const title = isObject(ui_schema) ? ui_schema.title : undefined;
  if (typeof title === "string") return title;
  return status === "pending" ? "Your answer" : "Outcome";
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={`panel ${classes.part}`} aria-label={title}>
      <Title order={2}>{title}</Title>
      {children}
    </section>
  );
}

function Facts({ question }: { question: InteractionDetail }) {
  const onlyAnswers = useOnlyAnswers();
  const progress = [progressText(question), standingText(question, question.responses)].filter((part) => part !== null);
  const atDeadline = timeoutText(question);
  return (
    <dl className={classes.facts}>
      <Fact name="For">
        <Group gap={8}>
          {assignedText(question)}
          {onlyAnswers ? null : <AskOthers question={question} />}
        </Group>
      </Fact>
      {progress.length === 0 ? null : <Fact name="Answers">{progress.join("; ")}</Fact>}
      <Fact name="Asked">
        <Moment at={question.created_at} />
      </Fact>
      {question.status === "pending" ? (
        <Fact name="Deadline">
          <Deadline at={question.deadline_at} />
        </Fact>
      ) : null}
      {atDeadline === null ? null : (
        <Fact name={question.status === "expired" ? "What the deadline decided" : "If it is not decided by then"}>
          {atDeadline}
        </Fact>
      )}
      {question.completed_at === null ? null : (
        <Fact name={questionStatusWord(question.status)}>
          <Moment at={question.completed_at} />
        </Fact>
      )}
      {question.pipeline_version === null ? null : <Fact name="Version">v{question.pipeline_version}</Fact>}
      <Fact name="Execution">
        {onlyAnswers ? (
          <span className="mono" title={question.execution_id}>
            {shortId(question.execution_id)}
          </span>
        ) : (
          <Anchor
            component={Link}
            to={`/executions/${encodeURIComponent(question.execution_id)}`}
            inherit
            className="mono"
            title={question.execution_id}
          >
            {shortId(question.execution_id)}
          </Anchor>
        )}
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="numbers">{children}</dd>
    </div>
  );
}

function Loading() {
  return (
    <Stack role="status" aria-label="The question is being read">
      <Skeleton height={36} width={320} />
      <Skeleton height={40} />
      <div className={classes.columns}>
        <Skeleton height={260} />
        <Skeleton height={260} />
      </div>
    </Stack>
  );
}
