/** An attempt with its payloads, however large: read when it is looked at, and again when it has other ones. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { stepQuery } from "@/api/executions";
import type { StepDetail } from "@/api/schema.gen";

export type WholeStep = {
  step: StepDetail;
  /** Whether the payloads of `step` are those that the server has. */
  known: boolean;
  error: Error | null;
  retry: () => void;
};

export function useWholeStep(row: StepDetail): WholeStep {
  // Progress raises the number of a row many times; its payloads change only with these.
  const payloads = [row.step_execution_id, row.status, row.input_bytes, row.output_bytes, row.error_message].join("\n");
  const [shown, setShown] = useState({ payloads, sequence: row.sequence });
  if (shown.payloads !== payloads) setShown({ payloads, sequence: row.sequence });

  const { data, isPlaceholderData, error, refetch } = useQuery(
    stepQuery(row.execution_id, row.step_execution_id, shown.sequence),
  );
  const isThis = data?.step_execution_id === row.step_execution_id;
  return {
    step: isThis ? data : row,
    known: isThis && (!isPlaceholderData || data.output_bytes === row.output_bytes),
    error,
    retry: () => void refetch(),
  };
}
