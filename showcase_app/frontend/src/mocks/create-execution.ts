/** Rows as the server sends them, for tests: usual values, but for the fields that a test names. */
import type {
  ExecutionDetail,
  ExecutionOut,
  InteractionOut,
  ItemGridOut,
  LogOut,
  RunOut,
  StepDetail,
  StepPlaceOut,
} from "@/api/schema.gen";
import { pathOf } from "@/domain/inner-runs";

const START = Date.parse("2026-01-01T00:00:00.000Z");

/** The moment so many milliseconds after the start of all tests. */
export function at(milliseconds: number): string {
  return new Date(START + milliseconds).toISOString();
}

export function createExecutionRow(row: Partial<ExecutionOut> = {}): ExecutionOut {
  return {
    execution_id: "execution",
    alias: null,
    pipeline_id: "pipeline",
    pipeline_name: "Pipeline",
    pipeline_version: 1,
    status: "running",
    managed: true,
    trigger: "api",
    priority: 0,
    run_at: null,
    owner: "worker",
    epoch: 1,
    recoveries: 0,
    sequence: 1,
    cancel_requested: false,
    rerun_of: null,
    total_steps: 0,
    completed_steps: 0,
    failed_steps: 0,
    input_tokens: null,
    output_tokens: null,
    cost_micros: null,
    unpriced_calls: null,
    error_type: null,
    error_message: null,
    failure_group: null,
    failed_step: null,
    cause: null,
    imported_at: null,
    rows_sha256: null,
    went_on: null,
    created_at: at(0),
    started_at: at(0),
    completed_at: null,
    queue_seconds: 0,
    duration_seconds: null,
    ...row,
  };
}

export function createExecution(row: Partial<ExecutionDetail> = {}): ExecutionDetail {
  return {
    ...createExecutionRow(),
    input_data: {},
    output_data: null,
    metadata: null,
    input_bytes: 2,
    output_bytes: 0,
    metadata_bytes: 0,
    omitted: [],
    overrides: null,
    steps: [],
    more_steps: false,
    started_by: null,
    traceparent: null,
    trace_id: "0190f3c2a1b47c3d9e8f7a6b5c4d3e2f",
    trace_url: null,
    rerun_ids: [],
    interactions: [],
    ...row,
  };
}

export function createStep(row: Partial<StepDetail> = {}): StepDetail {
  return {
    step_execution_id: `${row.step_id ?? "step"}-${row.iteration ?? 1}-${row.attempt ?? 1}`,
    execution_id: "execution",
    within: "",
    step_id: "step",
    step_name: row.step_id ?? "Step",
    step_type: "task",
    iteration: 1,
    attempt: 1,
    retry_count: 0,
    status: "running",
    worker: "worker",
    wake_at: null,
    awaits: null,
    effect: null,
    routes: null,
    error_type: null,
    error_message: null,
    progress: null,
    progress_message: null,
    copied_from: null,
    input_tokens: null,
    output_tokens: null,
    cost_micros: null,
    unpriced_calls: null,
    usage: null,
    first_token_ms: null,
    place: null,
    input_bytes: 0,
    output_bytes: 0,
    sequence: 1,
    created_at: at(0),
    started_at: at(0),
    completed_at: null,
    duration_seconds: null,
    input_data: null,
    input_refs: null,
    output_data: null,
    metadata: null,
    traceback: null,
    input_refs_bytes: 0,
    metadata_bytes: 0,
    traceback_bytes: 0,
    omitted: [],
    ...row,
  };
}

/** On a node that is called `1dba27f00b4af5b9`. */
export function createPlace(row: Partial<StepPlaceOut> = {}): StepPlaceOut {
  return {
    cluster: "session_1",
    node: "1dba27f00b4af5b9",
    pid: 6500,
    resources: { CPU: 1 },
    waited_seconds: 0,
    ...row,
  };
}

/** A run within the run `think#1`, as its latest attempt stands. */
export function createRun(row: Partial<RunOut> = {}): RunOut {
  const { step_name, ...step } = createStep({ within: "think#1", step_type: "inner", ...row });
  return { ...step, step_name: row.step_name ?? step_name, path: pathOf(step) };
}

/** The items of a map, of which none has begun. */
export function createItemGrid(row: Partial<ItemGridOut> = {}): ItemGridOut {
  return { items: 0, per_square: 1, statuses: [], squares: "", by_status: {}, sequence: 1, ...row };
}

export function createInteraction(row: Partial<InteractionOut> = {}): InteractionOut {
  return {
    interaction_id: "interaction",
    step_execution_id: "step-1-1",
    step_id: "step-1",
    status: "pending",
    prompt: "Well?",
    ui_schema: {},
    assigned_users: [],
    assigned_role: null,
    answers: 1,
    decided_by: null,
    deadline_at: null,
    created_at: at(0),
    completed_at: null,
    actor: null,
    verified: false,
    answered_by: 0,
    sequence: 1,
    ...row,
  };
}

export function createLine(row: Partial<LogOut> = {}): LogOut {
  return {
    log_id: "line",
    execution_id: "execution",
    within: "",
    step_execution_id: null,
    level: "info",
    logger: null,
    message: "Hello",
    data: null,
    data_omitted: false,
    logged_at: at(0),
    sequence: 1,
    ...row,
  };
}

/** Whole numbers below `below`, the same ones for the same seed: a linear congruential generator (Knuth's MMIX). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number((state >> 33n) % BigInt(below));
  };
}
