/** One answer to many questions: what each is about, the form, and then which of them have it. */
import { Anchor, Button, Group, List, Modal, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { Link } from "react-router";
import { answerInteractions, interactionKeys, interactionQuery } from "@/api/interactions";
import { useRequestKey } from "@/api/request-key";
import type { AnswerEachOut, InteractionDetail, ListedInteraction } from "@/api/schema.gen";
import { sessionQuery } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { Markdown } from "@/components/ui/markdown";
import { Moment } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { stringifyJson } from "@/domain/json";
import { firstLine, outcomeText } from "@/domain/questions";
import { shortId } from "@/domain/runs";
import type { Answer } from "./answer-form";
import { nameOf } from "./answer-panel";
import classes from "./inbox.module.css";
import { LedTo } from "./led-to";

const AnswerForm = lazyPart(async () => (await import("./answer-form")).AnswerForm);

type BulkAnswerDialogProps = {
  /** That are alike; at least one. */
  questions: readonly ListedInteraction[];
  onClose: (done: boolean) => void;
};

export function BulkAnswerDialog({ questions, onClose }: BulkAnswerDialogProps) {
  const client = useQueryClient();
  const { data: session } = useQuery(sessionQuery);
  const keyFor = useRequestKey();
  const [result, setResult] = useState<AnswerEachOut | null>(null);
  const details = useQueries({ queries: questions.map((question) => interactionQuery(question.interaction_id)) });
  const failed = details.find((detail) => detail.isError);
  const read = details.flatMap(({ data }) => (data === undefined ? [] : [data]));
  const isRead = read.length === questions.length;
  const [first] = questions;
  if (first === undefined || session === undefined) return null;
  const names = questions.map((question) => nameOf(question, session));
  const name = names.find((each) => each === "required") ?? nameOf(first, session);
  const count = countOf(questions.length);

  const send = async ({ response, responded_by }: Answer) => {
    const interaction_ids = questions.map((question) => question.interaction_id);
    const body = { interaction_ids, response, responded_by };
    const answered = await answerInteractions(body, keyFor(stringifyJson(body)));
    setResult(answered);
    void client.invalidateQueries({ queryKey: interactionKeys.all });
  };
  return (
    <Modal
      opened
      onClose={() => onClose(result !== null)}
      title={<b>{result === null ? `One answer to ${count}` : "Answered"}</b>}
      size="xl"
      closeButtonProps={{ "aria-label": "Close the dialog" }}
    >
      {result !== null ? (
        <Stack gap="sm">
          <Summary result={result} />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => onClose(true)}>
              Close
            </Button>
          </Group>
        </Stack>
      ) : (
        <>
          <Text size="sm" className="quiet" mb="xs">
            {first.pipeline_name}
            {first.pipeline_version === null ? "" : ` v${first.pipeline_version}`} · {first.step_id}. Each is answered
            by itself; those that somebody answers meanwhile are left as they are.
          </Text>
          {failed?.error == null ? null : (
            <QueryFailed
              what="What they are about"
              error={failed.error}
              retry={() => details.forEach((detail) => void (detail.isError && detail.refetch()))}
            />
          )}
          <ul className={classes.many} aria-label="Questions to be answered">
            {read.map((question) => (
              <li key={question.interaction_id}>
                <About question={question} />
              </li>
            ))}
            {isRead || failed !== undefined ? null : (
              <li>
                <Skeleton height={90} role="status" aria-label="Being read" />
              </li>
            )}
          </ul>
          <Title order={3} mt="lg" mb="xs">
            The answer
          </Title>
          {isRead ? (
            <Suspense fallback={<Skeleton height={160} role="status" aria-label="The form is being read" />}>
              <AnswerForm ui_schema={first.ui_schema} name={name} label={`Answer ${count}`} send={send} />
            </Suspense>
          ) : (
            <Text size="sm" className="quiet">
              The form comes when all of them have been read.
            </Text>
          )}
        </>
      )}
    </Modal>
  );
}

/** What one of them asks, and what led to it. */
function About({ question }: { question: InteractionDetail }) {
  const { status, completed_at } = question;
  return (
    <Stack gap="xs">
      <Markdown text={question.prompt ?? "The step asks for an answer."} />
      {status === "pending" || completed_at === null ? null : (
        <Text size="sm" c="var(--mantine-color-error)">
          {outcomeText(question)} meanwhile, <Moment at={completed_at} />
        </Text>
      )}
      <LedTo
        question={question}
        label={`Data of ${firstLine(question.prompt ?? question.step_id)}, ${shortId(question.execution_id)}`}
        maxHeight={190}
      />
    </Stack>
  );
}

function Summary({ result: { done, refused } }: { result: AnswerEachOut }) {
  return (
    <div role="status">
      <Text fw={600}>{done === 1 ? "1 question has" : `${done} questions have`} this answer.</Text>
      {refused.length === 0 ? null : (
        <>
          <Text size="sm" mt="xs" mb={4}>
            {countOf(refused.length)} left as {refused.length === 1 ? "it is" : "they are"}:
          </Text>
          <List size="sm" spacing={4}>
            {refused.map(({ interaction_id, reason, actor, closed_at }) => (
              <List.Item key={interaction_id}>
                <Anchor component={Link} to={`/inbox/${interaction_id}`} className="mono">
                  {shortId(interaction_id)}
                </Anchor>{" "}
                {actor === null ? reason : `Answered by ${actor}`}
                {closed_at === null ? null : (
                  <>
                    {", "}
                    <Moment at={closed_at} />
                  </>
                )}
              </List.Item>
            ))}
          </List>
        </>
      )}
    </div>
  );
}

function countOf(count: number): string {
  return count === 1 ? "1 question" : `${count} questions`;
}
