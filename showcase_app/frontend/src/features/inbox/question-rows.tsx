/** Questions as rows: what is asked, by what, of whom, since when and until when; those alike can be selected together. */
import { Checkbox, Tooltip } from "@mantine/core";
import { Link } from "react-router";
import type { ListedInteraction } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { assignedText, firstLine, outcomeText, progressText } from "@/domain/questions";
import { Deadline } from "./deadline";
import classes from "./inbox.module.css";
import { QuestionBadge } from "./question-badge";

type QuestionRowsProps = {
  rows: readonly ListedInteraction[];
  isPrevious: boolean;
  selected: ReadonlySet<string>;
  /** Why a question cannot be selected; null: it can. */
  whyNotSelect: (question: ListedInteraction) => string | null;
  onSelect: (interactionId: string, isSelected: boolean) => void;
};

export function QuestionRows({ rows, isPrevious, selected, whyNotSelect, onSelect }: QuestionRowsProps) {
  return (
    <ul className={`panel ${classes.list}`} aria-label="Questions" data-previous={isPrevious || undefined}>
      {rows.map((question) => (
        <QuestionRow
          key={question.interaction_id}
          question={question}
          isSelected={selected.has(question.interaction_id)}
          why={whyNotSelect(question)}
          onSelect={(isSelected) => onSelect(question.interaction_id, isSelected)}
        />
      ))}
    </ul>
  );
}

type QuestionRowProps = {
  question: ListedInteraction;
  isSelected: boolean;
  why: string | null;
  onSelect: (isSelected: boolean) => void;
};

function QuestionRow({ question, isSelected, why, onSelect }: QuestionRowProps) {
  const prompt = firstLine(question.prompt ?? "") || "The step asks for an answer.";
  const progress = progressText(question);
  const version = question.pipeline_version === null ? "" : ` v${question.pipeline_version}`;
  return (
    <li className={classes.row} data-question={question.interaction_id} data-selected={isSelected || undefined}>
      <Tooltip label={why} disabled={why === null} multiline maw={280}>
        <span className={classes.check}>
          {question.status === "pending" ? (
            <Checkbox
              size="xs"
              aria-label={`Select: ${prompt}`}
              checked={isSelected}
              disabled={why !== null}
              onChange={({ currentTarget }) => onSelect(currentTarget.checked)}
            />
          ) : null}
        </span>
      </Tooltip>
      <div className={classes.what}>
        <Link to={`/inbox/${encodeURIComponent(question.interaction_id)}`} className={classes.prompt}>
          {prompt}
        </Link>
        <div className={classes.from}>
          {question.pipeline_name}
          {version} · {question.step_id}
          {progress === null ? "" : ` · ${progress}`}
        </div>
      </div>
      <div className={classes.cell}>
        <span className={classes.name}>For</span>
        {assignedText(question)}
      </div>
      <div className={classes.cell}>
        <span className={classes.name}>Asked</span>
        <Moment at={question.created_at} />
      </div>
      <div className={classes.cell}>
        {question.completed_at === null ? (
          <>
            <span className={classes.name}>Deadline</span>
            <Deadline at={question.deadline_at} />
          </>
        ) : (
          <>
            <span className={classes.name}>{outcomeText(question)}</span>
            <Moment at={question.completed_at} />
          </>
        )}
      </div>
      <div className={classes.cell}>
        <QuestionBadge status={question.status} />
      </div>
    </li>
  );
}
