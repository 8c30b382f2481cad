import { describe, expect, it } from "vitest";
import { createLine } from "@/mocks/create-execution";
import { hasGap, lineText, mergedLines, NO_LINES, withHeard } from "./log-lines";

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

describe("lines that were heard", () => {
  const numbered = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => createLine({ log_id: String(from + at), sequence: from + at }));

  it("are all kept while they are few", () => {
    expect(withHeard(withHeard(NO_LINES, numbered(1, 2)), numbered(3, 1))).toEqual({
      lines: numbered(1, 3),
      dropped: null,
    });
  });

  it("are let go, the oldest first, where they are many", () => {
    const heard = withHeard(withHeard(NO_LINES, numbered(1, 4_000)), numbered(4_001, 3_000));
    expect(heard.lines).toHaveLength(5_000);
    expect([heard.lines[0]?.sequence, heard.dropped]).toEqual([2_001, 2_000]);
  });

  it("leave a gap where what was let go had not been read", () => {
    expect(hasGap(numbered(1, 10), null, null)).toBe(false);
    expect(hasGap(numbered(1, 10), 9, null)).toBe(false);
    expect(hasGap(numbered(1, 10), 11, null)).toBe(true);
    expect(hasGap(numbered(1, 10), 11, 11)).toBe(false); // read after these were let go: none of them is like this
  });
});

it("a line is copied with its time, level, step and data", () => {
  const line = createLine({ message: "said", data: { a: 1 }, logged_at: "2026-01-01T00:00:00Z", level: "warning" });
  expect(lineText(line, "Step")).toBe('2026-01-01T00:00:00Z WARNING [Step] said {"a":1}');
});
