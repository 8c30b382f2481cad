import { expect, it } from "vitest";
import type { AheadOut } from "@/api/schema.gen";
import { at, createExecution, createInteraction, createStep } from "@/mocks/create-execution";
import {
  carriedAnswers,
  editsOf,
  editText,
  hasFields,
  hasMap,
  marksOfPlan,
  schemasOfStep,
  whyNotFrom,
  whyNotRerun,
  whyNotResumed,
} from "./second-chances";

const there = { runnable: true, is_active: true };

function createPlan(plan: Partial<AheadOut> = {}): AheadOut {
  return { kept: [], begins: [], by_hand: null, asked_again: [], steps: [], items: null, ...plan };
}

function ahead(step_id: string, may_have_effects: boolean) {
  const effect = may_have_effects ? "write" : "pure";
  return { step_id, step_name: step_id, effect, effect_text: effect, may_have_effects, runs: 1 } as const;
}

it.each([
  [{ status: "failed" }, there, null, null],
  [{ status: "cancelled" }, undefined, null, null],
  [{ status: "completed" }, there, /nothing left/, null],
  [{ status: "cancelled", imported_at: at(0), went_on: true }, there, /it is a copy/, null],
  [{ status: "running" }, there, /nothing to resume/, null],
  [{ status: "waiting_for_human" }, there, /nothing to resume/, null],
  [{ status: "failed", pipeline_version: null }, there, /without a definition/, /without a definition/],
  [{ status: "failed" }, { runnable: false, is_active: true }, /would not find its code/, /would not find its code/],
  [{ status: "failed" }, { runnable: true, is_active: false }, null, /archived/],
] as const)("of %j on %j it is said why not", (row, pipeline, resumed, rerun) => {
  const execution = createExecution(row);
  for (const [why, expected] of [
    [whyNotResumed(execution, pipeline), resumed],
    [whyNotRerun(execution, pipeline), rerun],
  ] as const) {
    if (expected === null) expect(why).toBeNull();
    else expect(why).toMatch(expected);
  }
});

it("from a step it is run again when it has ended, and what runs within a step with that step", () => {
  expect(whyNotFrom(createExecution({ status: "failed" }), createStep(), there)).toBeNull();
  expect(whyNotFrom(createExecution({ status: "running" }), createStep(), there)).toMatch(/has not ended/);
  const recorded = createExecution({ status: "running", pipeline_version: null });
  expect(whyNotFrom(recorded, createStep(), there)).toMatch(/without a definition/);
  const execution = createExecution({ status: "failed" });
  expect(whyNotFrom(execution, createStep({ within: "work#1" }), there)).toMatch(/part of another step/);
});

it("a step's form is drawn from its own schema, else from the inputs that it declares, else there is none", () => {
  const own = { type: "object", properties: { n: { type: "integer" } } };
  const declared = [
    { name: "n", source: "{x}", schema: { type: "integer" } },
    { name: "m", required: false },
  ];
  const definition = {
    steps: [
      { id: "a", input_schema: own, inputs: declared, output_schema: own },
      { id: "b", inputs: declared },
      { id: "c" },
    ],
  };
  expect(schemasOfStep(definition, "a")).toEqual({ input: own, output: own });
  const { input, output } = schemasOfStep(definition, "b");
  expect(input).toEqual({ type: "object", properties: { n: { type: "integer" }, m: {} }, required: ["n"] });
  expect([output, hasFields(input), hasFields(output)]).toEqual([null, true, false]);
  for (const nothing of ["c", "z"]) expect(schemasOfStep(definition, nothing)).toEqual({ input: null, output: null });
  expect(schemasOfStep(null, "a")).toEqual({ input: null, output: null });
});

it("a step has a map where its definition says so", () => {
  const definition = { steps: [{ id: "a", map: { over: "{x}" } }, { id: "b", map: null }, { id: "c" }] };
  expect(["a", "b", "c", "z"].map((id) => hasMap(definition, id))).toEqual([true, false, false, false]);
});

it("each step of a plan is marked with what becomes of it", () => {
  const plan = createPlan({
    kept: [
      { step_id: "a", iteration: 1 },
      { step_id: "loop", iteration: 1 },
    ],
    steps: [ahead("b", false), ahead("loop", true), ahead("ask", true)],
    by_hand: { step_id: "c", iteration: 1 },
    asked_again: [{ step_id: "ask", iteration: 1 }],
  });
  expect(Object.fromEntries(marksOfPlan(plan))).toEqual({
    a: "kept",
    b: "again",
    loop: "acts",
    ask: "asked_again",
    c: "by_hand",
  });
});

it("the answers of what is kept are carried over, and no others", () => {
  const [kept, again] = [createStep({ step_id: "ask" }), createStep({ step_id: "ask", iteration: 2 })];
  const execution = createExecution({
    steps: [kept, again],
    interactions: [
      createInteraction({ interaction_id: "1", status: "answered", step_execution_id: kept.step_execution_id }),
      createInteraction({ interaction_id: "2", status: "answered", step_execution_id: again.step_execution_id }),
    ],
  });
  const plan = createPlan({ kept: [{ step_id: "ask", iteration: 1 }] });
  expect(carriedAnswers(execution, plan).map(({ interaction_id }) => interaction_id)).toEqual(["1"]);
});

it("an edit is told with who made it, and what only begins first is none", () => {
  const overrides = [
    { step_id: "a", iteration: 1, parents: [], closes_loop: false },
    { step_id: "b", iteration: 2, parents: [["a", 1]], closes_loop: false, input: {}, actor: "ann" },
    { step_id: "c", iteration: 1, output: { n: 1 }, actor: "bob" },
  ];
  const edits = editsOf(createExecution({ overrides }));
  expect(edits).toEqual([
    { step_id: "b", iteration: 2, edited: "input", by: "ann" },
    { step_id: "c", iteration: 1, edited: "output", by: "bob" },
  ]);
  expect(edits.map(editText)).toEqual([
    "Its input is another one, which ann has put in the place of its own.",
    "Its result is what bob has given: its code did not run.",
  ]);
  expect(editsOf(createExecution())).toEqual([]);
});
