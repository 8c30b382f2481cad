import { describe, expect, it } from "vitest";
import { createEdge, createNode } from "@/mocks/create-graph";
import type { StepGroup } from "./drawn-graph";
import type { NodeRun, StepMark } from "./graph";
import type { Status } from "./status";
import { countsText, groupRunOf, groupSentence, markOfGroup, stateOfEdges, statusOfGroup } from "./step-groups";

const NONE: ReadonlySet<string> = new Set();
const members = Array.from({ length: 60 }, (_, number) => createNode({ id: `w${number}` }));
const group: StepGroup = { id: "[group] w0", name: "60 × Worker", members, isOpen: false };

function run(status: Status, ranMs = 0): NodeRun {
  const times = { attempts: 1, begun: true, ranMs, waitedMs: 0, open: [] };
  const rest = {
    iteration: 1,
    maxIterations: 1,
    attempt: 1,
    progress: null,
    fellBack: false,
    copied: false,
    row: null,
  };
  return { status, times, ...rest };
}

/** The first members in these statuses. */
function runs(...statuses: Status[]): Map<string, NodeRun> {
  return new Map(statuses.map((status, number) => [`w${number}`, run(status, 100)]));
}

const many = (status: Status, count: number) => Array.from({ length: count }, () => status);

describe("a group", () => {
  it("says how its members stand, and is named by it", () => {
    const done = groupRunOf(group, runs(...many("failed", 2), ...many("completed", 58)), NONE);
    expect(groupSentence(group, done, null)).toBe("60 × Worker: 58 done, 2 failed");
    expect(done?.times?.ranMs).toBe(6000);
    const going = groupRunOf(group, runs("running", "waiting", "completed"), NONE);
    expect(going === null ? null : countsText(going)).toBe("1 done, 1 running, 1 waiting, 57 not begun");
    const passed = groupRunOf(group, runs(), new Set(members.map(({ id }) => id)));
    expect(passed === null ? null : countsText(passed)).toBe("60 not on its way");
    expect(groupSentence(group, groupRunOf(group, undefined, NONE), null)).toBe("60 × Worker");
  });

  it.each<[Status[], Status | null]>([
    [["completed", "failed", "running"], "failed"],
    [["completed", "running"], "running"],
    [["completed", "completed"], "completed"],
    [[], null],
  ])("of %j has the colour of %s", (statuses, status) => {
    const standing = groupRunOf(group, runs(...statuses), NONE);
    expect(standing === null ? null : statusOfGroup(standing)).toBe(status);
  });

  it("has the mark that counts most, with how many have it", () => {
    const marks = new Map<string, StepMark>([
      ["w1", "kept"],
      ["w2", "differs"],
      ["w3", "differs"],
    ]);
    expect(markOfGroup(group, marks)).toEqual({ mark: "differs", count: 2 });
    expect(groupSentence(group, null, markOfGroup(group, marks))).toBe("60 × Worker: 2: differs");
    expect(markOfGroup(group, new Map())).toBeNull();
  });
});

it("what is drawn as one edge is taken when one of its edges is", () => {
  const edges = [0, 1, 2].map((index) => createEdge({ index }));
  const states = (...all: ("taken" | "not_taken" | "unknown")[]) => stateOfEdges(edges, new Map(all.entries()));
  expect(states("not_taken", "taken", "unknown")).toBe("taken");
  expect(states("not_taken", "not_taken", "not_taken")).toBe("not_taken");
  expect(states("not_taken", "not_taken")).toBe("unknown");
});
