/** What is selected on the page, kept in its address: `?step=repair&run=2.1&tab=output`. */
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import type { StepDetail } from "@/api/schema.gen";
import { attemptsOf, attemptWord, newestOf } from "@/domain/runs";

export type Selection = {
  stepId: string | null;
  /** The attempt that is looked at: the one named, else the newest. null: the step has not begun. */
  attempt: StepDetail | null;
  tab: string | null;
  /** Choose a step, or one attempt of it, and what to see of it; null = none. */
  selectStep: (stepId: string | null, attempt?: StepDetail, tab?: string) => void;
  selectTab: (tab: string | null) => void;
};

export function useSelection(steps: readonly StepDetail[]): Selection {
  const [params, setParams] = useSearchParams();
  const stepId = params.get("step");
  const run = params.get("run");
  const tab = params.get("tab");

  const attempt = useMemo(() => {
    if (stepId === null) return null;
    const named = run === null ? undefined : attemptsOf(steps, stepId).find((step) => attemptWord(step) === run);
    return named ?? newestOf(steps.filter((step) => step.step_id === stepId)).get(stepId) ?? null;
  }, [steps, stepId, run]);

  const selectStep = useCallback(
    (next: string | null, chosen?: StepDetail, tabOfIt?: string) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if ((next === null) !== (before.get("step") === null)) after.delete("tab"); // the tabs are others
          after.delete("step");
          after.delete("run");
          after.delete("in"); // what is within another
          after.delete("line"); // of the lines of another
          if (next !== null) after.set("step", next);
          if (chosen !== undefined) after.set("run", attemptWord(chosen));
          if (tabOfIt !== undefined) after.set("tab", tabOfIt);
          return after;
        },
        { replace: true, preventScrollReset: true, flushSync: true },
      ),
    [setParams],
  );
  const selectTab = useCallback(
    (next: string | null) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (next === null) after.delete("tab");
          else after.set("tab", next);
          return after;
        },
        { replace: true, preventScrollReset: true, flushSync: true },
      ),
    [setParams],
  );
  return { stepId, attempt, tab, selectStep, selectTab };
}
