import { describe, expect, it } from "vitest";
import type { StepDetail, StepOut } from "@/api/schema.gen";
import { at, createStep } from "@/mocks/create-execution";
import { graphOf } from "@/mocks/create-graph";
import { attemptsOf, edgesOf, runsOf, shortId, stoppedBy } from "./runs";

/** A completed step that took some of its paths: `{ 0: true, 1: false }`. */
function went(step_id: string, taken: Record<number, boolean>, row: Partial<StepOut> = {}): StepDetail {
  const paths = Object.entries(taken).map(([path, isTaken]) => ({
    path: Number(path),
    to_step: "",
    taken: isTaken,
    why: "",
  }));
  return createStep({ step_id, status: "completed", completed_at: at(1), routes: { next: "paths", paths }, ...row });
}

const branch: [string, string][] = [
  ["score", "pass"],
  ["score", "fail"],
  ["pass", "report"],
  ["fail", "report"],
  ["report", "end"],
];

describe("a step in the graph", () => {
  it("stands as its newest iteration's newest attempt, whatever came in first", () => {
    const graph = graphOf([["a", "end"]], ["a"]);
    const steps = [
      createStep({ step_id: "a", iteration: 2, attempt: 2, status: "running", progress: 0.5 }),
      createStep({ step_id: "a", iteration: 2, attempt: 1, status: "failed" }),
      createStep({ step_id: "a", iteration: 1, attempt: 3, status: "completed" }),
    ];
    expect(runsOf(steps, [], graph).get("a")).toMatchObject({
      status: "running",
      iteration: 2,
      attempt: 2,
      maxIterations: 11,
      progress: 0.5,
      fellBack: false,
      copied: false,
    });
  });

  it("fell back when it completed in spite of an error", () => {
    const steps = [createStep({ step_id: "a", status: "completed", error_type: "StepTimeout" })];
    expect(runsOf(steps, [], graphOf([["a", "end"]])).get("a")?.fellBack).toBe(true);
  });
});

describe("a path in the graph", () => {
  it("is taken or not as its step recorded, and fades with what only it leads to", () => {
    const edges = edgesOf([went("score", { 0: true, 1: false })], graphOf(branch), false);
    expect([...edges.values()]).toEqual(["taken", "not_taken", "unknown", "not_taken", "unknown"]);
  });

  it("stays taken when a later iteration did not take it", () => {
    const graph = graphOf(
      [
        ["check", "mend"],
        ["check", "end"],
        ["mend", "check"],
      ],
      ["check", "mend"],
    );
    const steps = [went("check", { 0: true, 1: false }), went("check", { 0: false, 1: true }, { iteration: 2 })];
    expect([...edgesOf(steps, graph, false).values()]).toEqual(["taken", "taken", "unknown"]);
  });

  it("is still open where a loop may come by again", () => {
    const graph = graphOf(
      [
        ["check", "mend"],
        ["check", "publish"],
        ["publish", "end"],
        ["mend", "check"],
      ],
      ["check", "mend"],
    );
    expect(edgesOf([went("check", { 0: true, 1: false })], graph, false).get(2)).toBe("unknown");
  });

  it("was not taken when all has ended without it", () => {
    const edges = edgesOf([createStep({ step_id: "score", status: "failed" })], graphOf(branch), true);
    expect(new Set(edges.values())).toEqual(new Set(["not_taken"]));
  });
});

describe("what stopped an execution", () => {
  const failed = { status: "failed", error_type: "ValueError" } as const;

  it("is the first attempt that nothing followed from, not one that was retried or gone on from", () => {
    const steps = [
      createStep({ step_id: "a", ...failed, completed_at: at(1), routes: { next: "retry", delay_seconds: 1 } }),
      createStep({ step_id: "b", ...failed, completed_at: at(2), routes: { next: "paths", paths: [] } }),
      createStep({ step_id: "c", ...failed, completed_at: at(9), routes: { next: "stop" } }),
      createStep({ step_id: "d", ...failed, completed_at: at(5), routes: { next: "stop" } }),
    ];
    expect(stoppedBy(steps)?.step_id).toBe("d");
  });

  it("is not what a program without routes did again", () => {
    const steps = [
      createStep({ step_id: "a", ...failed, completed_at: at(1) }),
      createStep({ step_id: "a", attempt: 2, status: "completed", completed_at: at(2) }),
      createStep({ step_id: "b", ...failed, completed_at: at(3) }),
    ];
    expect(stoppedBy(steps)?.step_id).toBe("b");
    expect(stoppedBy([])).toBeNull();
  });
});

it("attempts come in the order of iteration and attempt", () => {
  const steps = [
    [2, 1],
    [1, 2],
    [1, 1],
  ].map(([iteration, attempt]) => createStep({ iteration, attempt }));
  expect(attemptsOf(steps, "step").map((step) => [step.iteration, step.attempt])).toEqual([
    [1, 1],
    [1, 2],
    [2, 1],
  ]);
});

it("an id is told by its end, which differs within a minute too", () => {
  expect(shortId("01a21516-ff9b-7384-926b-fc0ac644f408")).toBe("…c644f408");
  expect(shortId("mine")).toBe("mine");
});
