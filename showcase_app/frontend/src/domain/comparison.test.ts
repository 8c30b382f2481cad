import { expect, it } from "vitest";
import type { GraphOut } from "@/api/schema.gen";
import { createAlignedRun, createComparedRun, createComparison } from "@/mocks/create-comparison";
import {
  compareAddress,
  copiedText,
  countsText,
  differencesOf,
  edgeStatesOf,
  firstRun,
  marksOf,
  nodeRunsOf,
  runWord,
  slownessText,
} from "./comparison";

const SAME = { same: true, a_bytes: 2, b_bytes: 2, changes: [], left_out: 0, note: null };
const OTHER = { ...SAME, same: false };

function edge(index: number | null, source: string, target: string): GraphOut["edges"][number] {
  return { index, source, target, label: "", order: null, is_back_edge: false, ends_execution: false };
}

const GRAPH = {
  start_at: "start",
  nodes: ["start", "left", "right"].map((id) => ({ id, name: id, max_iterations: id === "left" ? 5 : 1 })),
  edges: [edge(0, "start", "left"), edge(1, "start", "right"), edge(2, "left", "end"), edge(null, "left", "right")],
} as unknown as GraphOut;

it("a run is called by its step, its iteration from the second on, and what it is a part of", () => {
  expect(runWord({ within: "", step_id: "a", iteration: 1 })).toBe("a");
  expect(runWord({ within: "map#1", step_id: "item", iteration: 3 })).toBe("map#1/item#3");
});

it("what differs in a run is named", () => {
  expect(differencesOf(createAlignedRun({ differs: false }))).toEqual([]);
  expect(differencesOf(createAlignedRun({ a: null }))).toEqual(["only in B"]);
  expect(differencesOf(createAlignedRun({ b: null }))).toEqual(["only in A"]);
  const all = createAlignedRun({
    a: createComparedRun({ status: "failed" }),
    input: OTHER,
    output: OTHER,
    error: false,
    routes: false,
    definitions: OTHER,
  });
  expect(differencesOf(all)).toEqual(["status", "input", "output", "error", "paths", "definition"]);
  expect(differencesOf(createAlignedRun({ output: { ...SAME, same: null } }))).toEqual([]);
});

it("the first divergence is found among the runs, by level, step and iteration", () => {
  const steps = [
    createAlignedRun({ step_id: "a" }),
    createAlignedRun({ step_id: "a", iteration: 2 }),
    createAlignedRun({ step_id: "a", iteration: 2, within: "map#1" }),
  ];
  const divergence = { kind: "outcome", within: "map#1", step_id: "a", iteration: 2, sentence: "" } as const;
  expect(firstRun(createComparison({ steps, divergence }))).toBe(steps[2]);
  expect(firstRun(createComparison({ steps, divergence: null }))).toBeNull();
  expect(firstRun(createComparison({ steps: [], divergence }))).toBeNull();
});

it("a step stands as its newest iteration does, in each of the two", () => {
  const steps = [
    createAlignedRun({ step_id: "left", a: createComparedRun({ status: "completed" }) }),
    createAlignedRun({
      step_id: "left",
      iteration: 2,
      a: createComparedRun({ status: "failed", attempts: 3, duration_seconds: 2 }),
      b: null,
    }),
    createAlignedRun({ step_id: "left", iteration: 9, within: "map#1" }),
  ];
  const comparison = createComparison({ steps });
  expect(nodeRunsOf(comparison, "a", GRAPH).get("left")).toMatchObject({
    status: "failed",
    iteration: 2,
    maxIterations: 5,
    attempt: 3,
    times: null,
  });
  expect(nodeRunsOf(comparison, "b", GRAPH).get("left")).toMatchObject({ status: "completed", iteration: 1 });
  expect(nodeRunsOf(comparison, "b", GRAPH).has("right")).toBe(false);
});

it("what was copied from an earlier execution is marked, and told of the one that has it so", () => {
  const copied = createComparedRun({ copied_from: "attempt-before" });
  const comparison = createComparison({ steps: [createAlignedRun({ step_id: "left", a: copied })] });
  expect(nodeRunsOf(comparison, "a", GRAPH).get("left")?.copied).toBe(true);
  expect(nodeRunsOf(comparison, "b", GRAPH).get("left")?.copied).toBe(false);
  expect(copiedText(createAlignedRun())).toBeNull();
  expect(copiedText(createAlignedRun({ a: copied, b: null }))).toMatch(/^A did not run it/);
  expect(copiedText(createAlignedRun({ b: copied }))).toMatch(/^B did not run it/);
  expect(copiedText(createAlignedRun({ a: copied, b: copied }))).toMatch(/^Neither ran it/);
});

it("marks say which steps differ, which only one ran, and where they diverged first", () => {
  const steps = [
    createAlignedRun({ step_id: "start", differs: false }),
    createAlignedRun({ step_id: "left", differs: true }),
    createAlignedRun({ step_id: "left", iteration: 2, a: null, differs: true }),
    createAlignedRun({ step_id: "right", b: null, differs: true }),
    createAlignedRun({ step_id: "late", a: null, differs: true }),
  ];
  const marks = marksOf(createComparison({ steps }));
  expect(Object.fromEntries(marks)).toEqual({ left: "differs", right: "only_a", late: "only_b" });
  const divergence = { kind: "outcome", within: "", step_id: "left", iteration: 1, sentence: "" } as const;
  expect(marksOf(createComparison({ steps, divergence })).get("left")).toBe("first");
  const inside = { ...divergence, within: "get items%2Fall#1/x#2", step_id: "item" };
  expect(marksOf(createComparison({ steps: [], divergence: inside })).get("get items/all")).toBe("first");
});

it("a path is taken in both, in one of them, or in none", () => {
  const steps = [
    createAlignedRun({
      step_id: "start",
      a: createComparedRun({ taken: ["left", "right"] }),
      b: createComparedRun({ taken: ["right"] }),
    }),
    createAlignedRun({ step_id: "left", a: null, b: createComparedRun({ taken: ["end"] }) }),
  ];
  expect(Object.fromEntries(edgeStatesOf(createComparison({ steps }), GRAPH))).toEqual({
    0: "only_a",
    1: "taken",
    2: "only_b",
  });
});

it("counts are told in words", () => {
  expect(countsText({ same: 3, different: 1, only_a: 0, only_b: 0 })).toBe("1 differs, 3 the same");
  expect(countsText({ same: 0, different: 2, only_a: 1, only_b: 4 })).toBe(
    "2 differ, 0 the same, 1 only in A, 4 only in B",
  );
});

it("a difference in time is told where it is large", () => {
  expect(slownessText(3, 1)).toBe("A took 3.0 times as long");
  expect(slownessText(1, 40)).toBe("B took 40 times as long");
  expect(slownessText(0.09, 0.01)).toBeNull();
  expect(slownessText(1.2, 1)).toBeNull();
  expect(slownessText(null, 1)).toBeNull();
});

it("an address names one or both", () => {
  expect(compareAddress("x y")).toBe("/compare?a=x+y");
  expect(compareAddress("x", "y&z")).toBe("/compare?a=x&b=y%26z");
});
