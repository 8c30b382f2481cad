/** The steps in the order in which they began: what there is where there is no graph, and a list where there is one. */
import { Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { ExecutionDetail, StepOut } from "@/api/schema.gen";
import { CopiedMark } from "@/components/ui/copied-mark";
import { RunTime } from "@/components/ui/moments";
import { StatusIcon } from "@/components/ui/status-badge";
import { segmentsByAttempt, type Times, timesByStep, timesOfAttempt } from "@/domain/durations";
import { runName, someOf } from "@/domain/inner-runs";
import { newestOf } from "@/domain/runs";
import type { ShownLevel } from "@/domain/timeline";
import classes from "./steps-list.module.css";

const ROW_HEIGHT = 38;
const MOST_INNER = 8;
const NO_ROW: ListRow = { step: null, more: 0 };

type StepsListProps = {
  execution: ExecutionDetail;
  selected: string | null;
  onSelect: (stepId: string) => void;
  height: number;
  /** What is within the run that is looked at. */
  level: ShownLevel | null;
};

export function StepsList({ execution, selected, onSelect, height, level }: StepsListProps) {
  const { steps, interactions } = execution;
  const frame = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => [...newestOf(steps).values()].flatMap((step) => rowsOf(step, level)), [steps, level]);
  const times = useMemo(() => timesByStep(steps, interactions), [steps, interactions]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
  });
  const at = rows.findIndex(({ step }) => step?.within === "" && step.step_id === selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at);
  }, [virtual, at]);

  if (rows.length === 0) {
    return (
      <Text size="sm" className="quiet" p="sm">
        No step has begun.
      </Text>
    );
  }
  return (
    <div ref={frame} className={classes.steps} style={{ maxHeight: height }}>
      <div className={classes.stepsHead} aria-hidden>
        <span>Step</span>
        <span className={classes.stepTime}>Run time</span>
      </div>
      <ol style={{ height: virtual.getTotalSize() }} aria-label="Steps">
        {virtual.getVirtualItems().map((item) => {
          const { step, more } = rows[item.index] ?? NO_ROW;
          if (more > 0) {
            return (
              <li key="more" style={{ transform: `translateY(${item.start}px)` }}>
                <Text size="sm" className={`quiet ${classes.more}`}>
                  {more.toLocaleString("en")} more in the panel of the step
                </Text>
              </li>
            );
          }
          if (step === null) return null;
          const isInner = step.within !== "";
          const took = isInner ? timesOfRun(step) : times.get(step.step_id);
          return took === undefined ? null : (
            <li key={step.step_execution_id} style={{ transform: `translateY(${item.start}px)` }}>
              <button
                type="button"
                className={classes.step}
                data-inner={isInner || undefined}
                aria-pressed={isInner ? step.step_execution_id === level?.chosen : step.step_id === selected}
                onClick={() => (isInner ? level?.choose(step.step_execution_id) : onSelect(step.step_id))}
              >
                <StatusIcon status={step.status} />
                <span className={classes.stepName}>{isInner ? nameOf(step) : step.step_name}</span>
                {took.attempts > 1 ? <span className="quiet numbers">×{took.attempts}</span> : null}
                {step.copied_from === null ? null : <CopiedMark />}
                <span className={classes.stepTime}>
                  <RunTime times={took} />
                </span>
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

/** A step or a run within one; or, with `more`, how many are not shown. */
type ListRow = { step: StepOut | null; more: number };

/** A step, and below it what is within the run of it that is looked at, as long as that is not many. */
function rowsOf(step: StepOut, level: ShownLevel | null): ListRow[] {
  if (level?.stepId !== step.step_id) return [{ step, more: 0 }];
  const shown = someOf(level.runs, level.chosen, MOST_INNER);
  const more = level.total - shown.length;
  return [...[step, ...shown].map((each) => ({ step: each, more: 0 })), ...(more > 0 ? [{ step: null, more }] : [])];
}

function timesOfRun(run: StepOut): Times {
  return timesOfAttempt(run, segmentsByAttempt([run], []).get(run.step_execution_id) ?? []);
}

function nameOf(run: StepOut): string {
  const { name, number } = runName(run);
  return number === null ? name : `${name} ${number}`;
}
