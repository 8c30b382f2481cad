/** Problems of a text as a list; choosing one leads to its place. */
import { UnstyledButton } from "@mantine/core";
import { IconAlertTriangle, IconX } from "@tabler/icons-react";
import type { EditorProblem } from "./json-editor";
import classes from "./pipelines.module.css";

type ProblemListProps = { problems: readonly EditorProblem[]; onChoose?: (problem: EditorProblem) => void };

export function ProblemList({ problems, onChoose }: ProblemListProps) {
  if (problems.length === 0) return null;
  return (
    <ul className={classes.problems} aria-label="Problems">
      {problems.map((problem) => (
        <li key={`${problem.place.from} ${problem.detail}`}>
          {onChoose === undefined ? (
            <span className={classes.problem}>
              <Problem problem={problem} />
            </span>
          ) : (
            <UnstyledButton className={classes.problem} onClick={() => onChoose(problem)}>
              <Problem problem={problem} />
            </UnstyledButton>
          )}
        </li>
      ))}
    </ul>
  );
}

function Problem({ problem: { severity, detail } }: { problem: EditorProblem }) {
  return (
    <>
      {severity === "error" ? (
        <IconX size={15} stroke={2.4} color="var(--ia-status-failed)" role="img" aria-label="Error" />
      ) : (
        <IconAlertTriangle size={15} stroke={2.2} color="var(--ia-status-lost)" role="img" aria-label="Warning" />
      )}
      <span>{detail}</span>
    </>
  );
}
