/** Where a question is answered: the form, or why the reader may not, or how it ended. Also on the execution's page. */
import { Skeleton, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { answerInteraction, interactionKeys } from "@/api/interactions";
import { useRequestKey } from "@/api/request-key";
import type { InteractionDetail, SessionOut } from "@/api/schema.gen";
import { sessionQuery } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { Moment } from "@/components/ui/moments";
import { stringifyJson } from "@/domain/json";
import { CHANGE_ANSWER, needsName, outcomeText, ownAnswer, whyNotAnswer } from "@/domain/questions";
import type { Answer } from "./answer-form";

const AnswerForm = lazyPart(async () => (await import("./answer-form")).AnswerForm);
const TooLate = lazyPart(async () => (await import("./answer-form")).TooLate);

type AnswerPanelProps = {
  question: InteractionDetail;
  /** Something is typed that was not sent, or not any more. */
  onTyped?: (isTyped: boolean) => void;
};

export function AnswerPanel({ question, onTyped }: AnswerPanelProps) {
  const { data: session } = useQuery(sessionQuery);
  const client = useQueryClient();
  const keyFor = useRequestKey();
  const [isTyped, setTyped] = useState(false);
  const isOpen = question.status === "pending";
  const outcome = outcomeText(question);
  if (session === undefined) return <Skeleton height={120} role="status" aria-label="The form is being read" />;

  const typed = (now: boolean) => {
    setTyped(now);
    onTyped?.(now);
  };
  const send = async (answer: Answer) => {
    const again = () => client.invalidateQueries({ queryKey: interactionKeys.all });
    try {
      const key = keyFor(stringifyJson([question.interaction_id, question.sequence, answer]));
      const answered = await answerInteraction(question.interaction_id, answer, key);
      notifications.show({ color: "teal", message: doneText(answered) });
      await again();
      typed(false);
    } catch (error) {
      typed(true); // it was not sent: it stays
      void again();
      throw error;
    }
  };
  if (!isOpen && !isTyped) {
    return (
      <Text size="sm" component="p" m={0}>
        {outcome}
        {question.completed_at === null ? null : (
          <>
            {", "}
            <Moment at={question.completed_at} />
          </>
        )}
      </Text>
    );
  }
  const why = whyNotAnswer(question, session);
  if (why !== null) {
    return (
      <Text size="sm" className="quiet">
        {why}
      </Text>
    );
  }
  const answerOf = (actor: string, verified: boolean) => ownAnswer(question.responses, { actor, verified });
  const own = session.keys_required ? answerOf(session.actor, true) : undefined;
  return (
    <Suspense fallback={<Skeleton height={160} role="status" aria-label="The form is being read" />}>
      <AnswerForm
        key={question.interaction_id}
        ui_schema={question.ui_schema}
        begins={own?.response}
        name={nameOf(question, session)}
        label={own === undefined ? "Send answer" : CHANGE_ANSWER}
        hasAnswered={(name) => answerOf(name, false) !== undefined}
        closed={isOpen ? undefined : <TooLate what={outcome ?? ""} at={question.completed_at} />}
        send={send}
        onTyped={() => typed(true)}
      />
    </Suspense>
  );
}

/** Whether who answers is to be typed. */
export function nameOf(
  question: Parameters<typeof needsName>[0],
  session: SessionOut,
): "none" | "optional" | "required" {
  if (session.keys_required) return "none";
  return needsName(question) ? "required" : "optional";
}

function doneText(question: InteractionDetail): string {
  return question.status === "pending"
    ? "Your answer is on record. Others are still asked."
    : "Your answer is on record.";
}
