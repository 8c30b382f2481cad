/** What a comparison or a plan says of a step, with its icon. */
import {
  IconCopy,
  IconEqualNot,
  IconGitFork,
  IconMessageQuestion,
  IconPencil,
  IconPlayerPlay,
  type IconUser,
} from "@tabler/icons-react";
import { markWord, type StepMark } from "@/domain/graph";
import classes from "./graph.module.css";

const MARKS: Readonly<Record<StepMark, readonly [typeof IconUser, string]>> = {
  first: [IconGitFork, "first"],
  differs: [IconEqualNot, ""],
  only_a: [IconEqualNot, "A"],
  only_b: [IconEqualNot, "B"],
  kept: [IconCopy, "kept"],
  again: [IconPlayerPlay, "runs"],
  acts: [IconPlayerPlay, "runs, effects"],
  by_hand: [IconPencil, "given"],
  asked_again: [IconMessageQuestion, "asked again"],
};

/** `count`: of a group, how many of its steps have it. */
export function MarkFact({ mark, count }: { mark: StepMark; count?: number }) {
  const [Icon, text] = MARKS[mark];
  return (
    <span className={classes.markFact} title={markWord(mark)}>
      <Icon size={14} stroke={2.2} aria-hidden />
      {count === undefined ? text : `${count} ${text}`}
    </span>
  );
}
