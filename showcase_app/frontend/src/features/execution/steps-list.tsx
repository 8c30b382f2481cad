/** The steps in the order in which they began: what there is where there is no graph, and a list where there is one. */
import { Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { StepDetail } from "@/api/schema.gen";
import { CopiedMark } from "@/components/ui/copied-mark";
import { Duration } from "@/components/ui/moments";
import { StatusIcon } from "@/components/ui/status-badge";
import { newestOf } from "@/domain/runs";
import classes from "./execution.module.css";

const ROW_HEIGHT = 38;

type StepsListProps = {
  steps: readonly StepDetail[];
  selected: string | null;
  onSelect: (stepId: string) => void;
  height: number;
};

export function StepsList({ steps, selected, onSelect, height }: StepsListProps) {
  const frame = useRef<HTMLDivElement>(null);
  const newest = useMemo(() => [...newestOf(steps).values()], [steps]);
  const made = useMemo(() => countsOf(steps), [steps]);
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
      <ol style={{ height: virtual.getTotalSize() }} aria-label="Steps">
        {virtual.getVirtualItems().map((item) => {
          const step = newest[item.index];
          return step === undefined ? null : (
            <li key={step.step_id} style={{ transform: `translateY(${item.start}px)` }}>
              <button
                type="button"
                className={classes.step}
                aria-pressed={step.step_id === selected}
                onClick={() => onSelect(step.step_id)}
              >
                <StatusIcon status={step.status} />
                <span className={classes.stepName}>{step.step_name}</span>
                {(made.get(step.step_id) ?? 1) > 1 ? (
                  <span className="quiet numbers">×{made.get(step.step_id)}</span>
                ) : null}
                {step.copied_from === null ? null : <CopiedMark />}
                <span className={classes.stepTime}>
                  <Duration start={step.started_at} end={step.completed_at} />
                </span>
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function countsOf(steps: readonly StepDetail[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const step of steps) counts.set(step.step_id, (counts.get(step.step_id) ?? 0) + 1);
  return counts;
}
