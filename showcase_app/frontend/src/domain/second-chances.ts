/** Resuming and running again: what it is for, what a form for it is drawn from, and what it would do. Pure. */
import type { RJSFSchema } from "@rjsf/utils";
import type {
  AheadOut,
  ExecutionDetail,
  ExecutionOut,
  InteractionOut,
  PipelineDetail,
  StepDetail,
} from "@/api/schema.gen";
import type { StepMark } from "./graph";
import { isObject, ownValue } from "./json";
import { hasEnded } from "./status";

/** As far as it is known; undefined: it is not yet. */
type Known = Pick<PipelineDetail, "runnable" | "is_active"> | undefined;

const NO_CODE =
  "Workers of this server would not find its code: the program that has it goes on with it, or start with --pipelines.";

const IS_COPY =
  "It came from a run file: it is a copy, and only where it ran can it go on. Run it again here, from a step if need be.";

/** Why an execution cannot be resumed; null: it can. */
export function whyNotResumed(execution: ExecutionOut, pipeline: Known): string | null {
  if (execution.pipeline_version === null) {
    return "A program recorded it, without a definition: only that program can go on with it.";
  }
  if (execution.status === "completed") return "It has completed: there is nothing left to run.";
  if (execution.imported_at !== null) return IS_COPY;
  if (!hasEnded(execution.status)) return "It has not ended: there is nothing to resume.";
  return pipeline?.runnable === false ? NO_CODE : null;
}

/** Why an execution cannot be run again; null: it can. */
export function whyNotRerun(execution: ExecutionOut, pipeline: Known): string | null {
  if (execution.pipeline_version === null) {
    return "A program recorded it, without a definition: only that program can run it again.";
  }
  if (pipeline?.is_active === false) return "Its pipeline is archived. A new version brings it back.";
  return pipeline?.runnable === false ? NO_CODE : null;
}

/** Why an execution cannot be run again from an attempt of a step; null: it can. */
export function whyNotFrom(execution: ExecutionOut, attempt: StepDetail, pipeline: Known): string | null {
  const why = whyNotRerun(execution, pipeline);
  if (why === null && !hasEnded(execution.status)) return "It has not ended: wait for that, or cancel it first.";
  return why ?? (attempt.within === "" ? null : "It is a part of another step: run that one again.");
}

type Schemas = {
  /** null: whatever JSON it is. */
  input: RJSFSchema | null;
  output: RJSFSchema | null;
};

/** What a step's input and result are like, by a definition as it is stored. */
export function schemasOfStep(definition: unknown, stepId: string): Schemas {
  const step = stepOf(definition, stepId);
  return {
    input: asSchema(ownValue(step, "input_schema")) ?? schemaOfInputs(ownValue(step, "inputs")),
    output: asSchema(ownValue(step, "output_schema")),
  };
}

/** Whether a step runs for each entry of a list, by a definition as it is stored. */
export function hasMap(definition: unknown, stepId: string): boolean {
  return ownValue(stepOf(definition, stepId), "map") != null;
}

function stepOf(definition: unknown, stepId: string): unknown {
  const steps = ownValue(definition, "steps");
  return Array.isArray(steps) ? steps.find((each: unknown) => ownValue(each, "id") === stepId) : undefined;
}

/** Of the inputs that a step declares one by one; null: it declares none, and gets the state. */
function schemaOfInputs(inputs: unknown): RJSFSchema | null {
  if (!Array.isArray(inputs) || inputs.length === 0) return null;
  const named = inputs.filter((each) => typeof ownValue(each, "name") === "string");
  const properties = Object.fromEntries(
    named.map((each) => [String(ownValue(each, "name")), asSchema(ownValue(each, "schema")) ?? {}]),
  );
  const required = named.filter((each) => ownValue(each, "required") !== false).map((each) => ownValue(each, "name"));
  return { type: "object", properties, required: required as string[] };
}

function asSchema(value: unknown): RJSFSchema | null {
  return isObject(value) ? (value as RJSFSchema) : null;
}

/** Whether a form can be drawn from it. */
export function hasFields(schema: RJSFSchema | null): boolean {
  return Object.keys(schema?.properties ?? {}).length > 0;
}

/** What becomes of each step, for its graph. */
export function marksOfPlan(plan: AheadOut): Map<string, StepMark> {
  const marks = new Map<string, StepMark>(plan.kept.map(({ step_id }) => [step_id, "kept"]));
  for (const { step_id, may_have_effects } of plan.steps) marks.set(step_id, may_have_effects ? "acts" : "again");
  for (const { step_id } of plan.asked_again) marks.set(step_id, "asked_again");
  if (plan.by_hand !== null) marks.set(plan.by_hand.step_id, "by_hand");
  return marks;
}

/** The questions whose answers a re-run carries over. */
export function carriedAnswers(execution: ExecutionDetail, plan: AheadOut): InteractionOut[] {
  const kept = new Set(plan.kept.map(({ step_id, iteration }) => `${step_id}#${iteration}`));
  const runs = new Map(
    execution.steps.map((step) => [step.step_execution_id, `${step.step_id}#${step.iteration}`] as const),
  );
  return execution.interactions.filter(
    ({ status, step_execution_id }) => status !== "pending" && kept.has(runs.get(step_execution_id) ?? ""),
  );
}

/** What somebody has put in the place of a step run's own input or result. */
export type Edit = { step_id: string; iteration: number; edited: "input" | "output"; by: string };

/** Those of an execution, as far as its row has them. */
export function editsOf(execution: ExecutionDetail): Edit[] {
  const rows: readonly unknown[] = Array.isArray(execution.overrides) ? execution.overrides : [];
  return rows.flatMap((row) => {
    const edited = ownValue(row, "output") === undefined ? "input" : "output";
    if (ownValue(row, edited) === undefined) return [];
    const [stepId, by] = [ownValue(row, "step_id"), ownValue(row, "actor")];
    const iteration = Number(String(ownValue(row, "iteration")));
    return [{ step_id: String(stepId), iteration, edited, by: typeof by === "string" ? by : "somebody" }];
  });
}

/** An edit in a sentence. */
export function editText({ edited, by }: Edit): string {
  return edited === "input"
    ? `Its input is another one, which ${by} has put in the place of its own.`
    : `Its result is what ${by} has given: its code did not run.`;
}
