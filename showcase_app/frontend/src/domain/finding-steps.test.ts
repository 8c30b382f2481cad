import { expect, it } from "vitest";
import { goalsOf, nextOf } from "./finding-steps";
import type { Status } from "./status";

const steps = ["a", "b", "c", "d"].map((id) => ({ id, name: id }));

it("what failed, runs or waits can be gone to, one after the other and around", () => {
  const statuses = new Map<string, Status>([
    ["b", "running"],
    ["d", "failed"],
    ["a", "failed"],
  ]);
  const goals = goalsOf(steps, (id) => statuses.get(id));
  expect(goals).toEqual([
    { status: "failed", ids: ["a", "d"] },
    { status: "running", ids: ["b"] },
  ]);
  const [failed] = goals;
  if (failed === undefined) throw new Error("nothing failed");
  expect([null, "a", "d", "b"].map((selected) => nextOf(failed, selected))).toEqual(["a", "d", "a", "a"]);
});
