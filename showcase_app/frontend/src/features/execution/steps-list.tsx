/** The steps in the order in which they began: what there is where there is no graph, and a list where there is one. */
import { Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { ExecutionDetail } from "@/api/schema.gen";
import { CopiedMark } from "@/components/ui/copied-mark";
import { RunTime } from "@/components/ui/moments";
import { StatusIcon } from "@/components/ui/status-badge";
import { timesByStep } from "@/domain/durations";
import { newestOf } from "@/domain/runs";
import classes from "./execution.module.css";

const ROW_HEIGHT = 38;

type StepsListProps = {
  execution: ExecutionDetail;
  selected: string | null;
  onSelect: (stepId: string) => void;
  height: number;
};

export function StepsList({ execution, selected, onSelect, height }: StepsListProps) {
  const { steps, interactions } = execution;
  const frame = useRef<HTMLDivElement>(null);
  const newest = useMemo(() => [...newestOf(steps).values()], [steps]);
  const times = useMemo(() => timesByStep(steps, interactions), [steps, interactions]);
  const virtual = useVirtualizer({
    count: newest.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
  });
  const at = newest.findIndex((step) => step.step_id === selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at);
  }, [virtual, at]);

  if (newest.length === 0) {
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
          const step = newest[item.index];
          const took = step === undefined ? undefined : times.get(step.step_id);
          return step === undefined || took === undefined ? null : (
            <li key={step.step_id} style={{ transform: `translateY(${item.start}px)` }}>
              <button
                type="button"
                className={classes.step}
                aria-pressed={step.step_id === selected}
                onClick={() => onSelect(step.step_id)}
              >
                <StatusIcon status={step.status} />
                <span className={classes.stepName}>{step.step_name}</span>
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
