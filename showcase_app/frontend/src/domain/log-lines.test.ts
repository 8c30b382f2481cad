import { describe, expect, it } from "vitest";
import { createLine } from "@/mocks/create-execution";
import { lineText, mergedLines } from "./log-lines";

const lines = (...ids: string[]) => ids.map((log_id) => createLine({ log_id }));
const idsOf = (merged: ReturnType<typeof mergedLines>) => merged.map((line) => line.log_id);

describe("lines from pages and from the socket", () => {
  it("come in the order in which they were recorded, not in which they were made", () => {
    const early = createLine({ log_id: "1", sequence: 9 }); // made first, recorded last
    expect(idsOf(mergedLines(lines("2"), [early, createLine({ log_id: "3", sequence: 2 })], {}, true))).toEqual([
      "2",
      "3",
      "1",
    ]);
  });

  it("are each there once, in order", () => {
    expect(idsOf(mergedLines(lines("1", "3"), lines("4", "2", "3"), {}, true))).toEqual(["1", "2", "3", "4"]);
  });

  it("leave no gap: what lies beyond the pages read so far is held back", () => {
    expect(idsOf(mergedLines(lines("1", "3"), lines("2", "9"), {}, false))).toEqual(["1", "2", "3"]);
  });

  it("are narrowed as the server narrows them", () => {
    const live = [
      createLine({ log_id: "1", level: "debug", message: "Disk full", step_execution_id: "a" }),
      createLine({ log_id: "2", level: "error", message: "Disk FULL", step_execution_id: "a" }),
      createLine({ log_id: "3", level: "error", message: "other", step_execution_id: "a" }),
      createLine({ log_id: "4", level: "error", message: "disk full", step_execution_id: "b" }),
    ];
    const filters = { step_execution_id: "a", level: "warning", q: "disk full" } as const;
    expect(idsOf(mergedLines([], live, filters, true))).toEqual(["2"]);
  });
});

it("a line is copied with its time, level, step and data", () => {
  const line = createLine({ message: "said", data: { a: 1 }, logged_at: "2026-01-01T00:00:00Z", level: "warning" });
  expect(lineText(line, "Step")).toBe('2026-01-01T00:00:00Z WARNING [Step] said {"a":1}');
});
