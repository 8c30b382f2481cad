/** What is shown of a step in the graph. Its size is fixed, so that a layout holds whatever is shown. */
import {
  IconArrowsSplit2,
  IconCopy,
  IconHourglass,
  IconLifebuoy,
  IconRepeat,
  IconRotateClockwise,
  IconUser,
} from "@tabler/icons-react";
import type { CSSProperties, ReactNode } from "react";
import type { GraphNode } from "@/api/schema.gen";
import { RunTime, WaitingTime } from "@/components/ui/moments";
import { StatusIcon } from "@/components/ui/status-badge";
import { waitsForPersonSince } from "@/domain/durations";
import { COPIED, isPlanned, type NodeRun, type StepMark } from "@/domain/graph";
import { hasEnded, statusFill } from "@/domain/status";
import { Ends } from "./ends";
import classes from "./graph.module.css";
import { MarkFact } from "./mark-fact";

/** Most are tasks: what is otherwise is marked. */
const KINDS: Readonly<Record<GraphNode["type"], typeof IconUser | null>> = {
  task: null,
  human_input: IconUser,
  condition: IconArrowsSplit2,
};

/** `idle`: shown without a run. `ahead`: may still come. `passed`: the run went another way. */
export type StepStanding = "idle" | "ahead" | "passed" | "run";
export type StepNodeData = {
  step: GraphNode;
  run: NodeRun | undefined;
  standing: StepStanding;
  mark: StepMark | undefined;
};
export type ShownStep = { data: StepNodeData; selected: boolean };

/** Around all that is shown of a step. `sentence`: what the picture says, as the name of the node. */
export function StepFrame({
  data: { run, standing, mark },
  selected,
  sentence,
  className = "",
  children,
}: ShownStep & { sentence: string; className?: string; children: ReactNode }) {
  return (
    <>
      <span className={classes.unseen}>{sentence}</span>
      <div
        aria-hidden
        className={`${classes.step} ${className}`}
        data-status={run?.status}
        data-standing={standing}
        data-mark={mark}
        data-selected={selected}
        style={run === undefined ? undefined : ({ "--step-color": statusFill(run.status) } as CSSProperties)}
      >
        {children}
        <Ends />
        {run?.progress == null || hasEnded(run.status) ? null : <ProgressBar fraction={run.progress} />}
      </div>
    </>
  );
}

/** How it stands, or what is known of it before. */
export function Facts({ step, run, mark }: Omit<StepNodeData, "standing">) {
  const Kind = KINDS[step.type];
  return (
    <div className={classes.facts}>
      {Kind === null ? null : <Kind size={15} stroke={1.8} aria-hidden className={classes.kind} />}
      {run !== undefined ? <RunFacts run={run} /> : isPlanned(mark) ? null : <StepFacts step={step} />}
      {mark === undefined ? null : <MarkFact mark={mark} />}
      {run === undefined ? null : (
        <span className={classes.standing}>
          <StatusIcon status={run.status} />
        </span>
      )}
    </div>
  );
}

function StepFacts({ step }: { step: GraphNode }) {
  return (
    <>
      {step.step_class === null ? null : <span className={classes.fact}>{step.step_class}</span>}
      {step.retry_max_attempts > 1 ? (
        <span className={classes.fact} title={`Tried up to ${step.retry_max_attempts} times`}>
          <IconRotateClockwise size={12} aria-hidden />
          {step.retry_max_attempts}
        </span>
      ) : null}
      {step.max_iterations > 1 ? (
        <span className={classes.fact} title={`Runs up to ${step.max_iterations} times`}>
          <IconRepeat size={12} aria-hidden />
          {step.max_iterations}
        </span>
      ) : null}
      {step.has_fallback ? (
        <span className={classes.fact} title="Has a fallback">
          <IconLifebuoy size={12} aria-hidden />
          fallback
        </span>
      ) : null}
    </>
  );
}

function RunFacts({ run }: { run: NodeRun }) {
  return (
    <>
      {run.times === null ? null : (
        <span className={classes.fact}>
          <RunTime times={run.times} />
        </span>
      )}
      {run.times === null || waitsForPersonSince(run.times) === null ? null : (
        <span className={classes.fact} title="Waiting, for a person and before">
          <IconHourglass size={13} aria-hidden />
          <WaitingTime times={run.times} />
        </span>
      )}
      {run.maxIterations > 1 ? (
        <span className={classes.fact} title={`Iteration ${run.iteration} of at most ${run.maxIterations}`}>
          <IconRepeat size={12} aria-hidden />
          {run.iteration}/{run.maxIterations}
        </span>
      ) : null}
      {run.attempt > 1 ? (
        <span className={classes.fact} title={`Attempt ${run.attempt}`}>
          <IconRotateClockwise size={13} aria-hidden />
          {run.attempt}
        </span>
      ) : null}
      {run.copied ? (
        <span className={classes.fact} title={`${COPIED}: it did not run here`}>
          <IconCopy size={13} aria-hidden />
        </span>
      ) : null}
      {run.fellBack ? (
        <span className={classes.fact} title="Its fallback ran">
          <IconLifebuoy size={14} aria-hidden />
        </span>
      ) : null}
    </>
  );
}

function ProgressBar({ fraction }: { fraction: number }) {
  return (
    <div className={classes.progress}>
      <div style={{ width: `${Math.round(fraction * 100)}%` }} />
    </div>
  );
}
