import { describe, expect, it } from "vitest";
import { createLine } from "@/mocks/create-execution";
import { hasGap, leftOutOf, lineText, mergedLines, NO_LINES, placeOf, withHeard } from "./log-lines";

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

  it("come in the order in which they were made, where they are of one attempt", () => {
    const of = (row: Parameters<typeof createLine>[0]) => createLine({ step_execution_id: "a", ...row });
    const live = [of({ log_id: "1", sequence: 9 }), of({ log_id: "3", sequence: 2 })];
    const read = [of({ log_id: "2" })];
    expect(idsOf(mergedLines(read, live, { step_execution_id: "a" }, true))).toEqual(["1", "2", "3"]);
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

  it("have what was left out among them, whatever is searched", () => {
    const live = [gap("1", 70, "info"), createLine({ log_id: "2", message: "other" }), gap("3", 2, "error")];
    expect(idsOf(mergedLines([], live, { q: "paid" }, true))).toEqual(["1", "3"]);
    expect(idsOf(mergedLines([], live, { q: "paid", level: "warning" }, true))).toEqual(["3"]);
    expect(leftOutOf(live)).toBe(72);
    expect(leftOutOf([gap("1", -1, "info"), createLine({ data: { left_out: 5 } })])).toBe(0);
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

const gap = (log_id: string, left_out: number, level: "info" | "error") =>
  createLine({ log_id, level, logger: "ia_modules.left_out", message: "left out", data: { left_out } });

describe("a place in the list", () => {
  const levels = ["info", "error", "warning", "error", "info"] as const;
  const list = [...levels.map((level, at) => createLine({ log_id: `${at}`, level })), gap("5", 1, "info")];

  it("is the next error after another place, and from the beginning again after the last", () => {
    expect([-1, 0, 1, 2].map((after) => placeOf({ to: "error", after }, list, true))).toEqual([1, 1, 3, 3]);
    expect(placeOf({ to: "error", after: 3 }, list, true)).toBe(1);
    expect(placeOf({ to: "error", after: -1 }, lines("1"), true)).toBeNull();
  });

  it("is unread where it may lie in lines that are still to be read", () => {
    expect(placeOf({ to: "error", after: 3 }, list, false)).toBe("unread");
    expect(placeOf({ to: "end" }, list, false)).toBe("unread");
    expect(placeOf({ to: "line", log_id: "9" }, list, false)).toBe("unread");
    expect(placeOf({ to: "line", log_id: "3" }, list, false)).toBe(3);
  });

  it("is the end, a gap, or a line by its id", () => {
    expect(placeOf({ to: "end" }, list, true)).toBe(5);
    expect(placeOf({ to: "gap", after: -1 }, list, true)).toBe(5);
    expect(placeOf({ to: "line", log_id: "9" }, list, true)).toBeNull();
    expect(placeOf({ to: "end" }, [], true)).toBeNull();
  });
});

it("a line is copied with its time, level, step and data", () => {
  const line = createLine({ message: "said", data: { a: 1 }, logged_at: "2026-01-01T00:00:00Z", level: "warning" });
  expect(lineText(line, "Step")).toBe('2026-01-01T00:00:00Z WARNING [Step] said {"a":1}');
  expect(lineText({ ...line, logger: "shop", data: null }, null)).toBe("2026-01-01T00:00:00Z WARNING shop: said");
});
