/** Comparisons as the server sends them, for tests: nothing differs, but for the fields that a test names. */
import type { AlignedRunOut, ComparedRunOut, ComparisonOut, ContrastOut } from "@/api/schema.gen";
import { at, createExecutionRow } from "./create-execution";

export function createContrast(row: Partial<ContrastOut> = {}): ContrastOut {
  return { same: true, a_bytes: 2, b_bytes: 2, changes: [], left_out: 0, note: null, ...row };
}

export function createComparedRun(row: Partial<ComparedRunOut> = {}): ComparedRunOut {
  return {
    step_execution_id: "attempt",
    status: "completed",
    attempts: 1,
    duration_seconds: 1,
    error_type: null,
    error_message: null,
    code: "steps.Step",
    taken: [],
    copied_from: null,
    ...row,
  };
}

export function createAlignedRun(row: Partial<AlignedRunOut> = {}): AlignedRunOut {
  return {
    within: "",
    step_id: "step",
    iteration: 1,
    step_name: row.step_id ?? "Step",
    a: createComparedRun(),
    b: createComparedRun(),
    input: createContrast(),
    output: createContrast(),
    error: null,
    routes: true,
    definitions: null,
    differs: false,
    ...row,
  };
}

export function createComparison(row: Partial<ComparisonOut> = {}): ComparisonOut {
  const ended = { status: "completed", completed_at: at(1000), duration_seconds: 1 } as const;
  return {
    a: createExecutionRow({ execution_id: "execution-a", ...ended }),
    b: createExecutionRow({ execution_id: "execution-b", ...ended }),
    as_of: null,
    definitions: null,
    input: createContrast(),
    output: createContrast(),
    divergence: null,
    counts: { same: 0, different: 0, only_a: 0, only_b: 0 },
    steps: [],
    steps_left_out: 0,
    notes: [],
    ...row,
  };
}
