import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { at } from "@/mocks/create-execution";
import { createFailure } from "@/mocks/create-failure";
import {
  countedSince,
  executionsText,
  failedAddress,
  failureAddress,
  failureFilters,
  failureText,
  standingAfter,
  stateText,
  trendBars,
  trendSentence,
  versionsText,
} from "./failures";

const read = (address: string) => failureFilters(new URLSearchParams(address));

describe("the address of the failures", () => {
  it("says what the list is narrowed to", () => {
    expect(read("window=24h&state=muted&pipeline_id=%20p1")).toEqual({
      window: "24h",
      state: "muted",
      pipeline_id: "p1",
    });
  });

  it("means all of seven days where it says nothing, or what it may not", () => {
    const all = { window: "7d", state: undefined, pipeline_id: undefined };
    expect([read(""), read("window=9y&state=closed&pipeline_id=")]).toEqual([all, all]);
  });
});

it("a group and its executions have addresses whatever the names in them", () => {
  expect(failureAddress("nightly/1.0f3a")).toBe("/failures/nightly%2F1.0f3a");
  expect(failureAddress("nightly.0f3a", "24h")).toBe("/failures/nightly.0f3a?window=24h");
  expect(failureAddress("nightly.0f3a", "7d")).toBe("/failures/nightly.0f3a");
  expect(failedAddress("nightly.0f3a", "2026-11-22T10:21:00.000000Z")).toBe(
    "/executions?failure=nightly.0f3a&failed_after=2026-11-22T10%3A21%3A00.000000Z",
  );
});

it("a state is told in words", () => {
  const texts = [
    createFailure(),
    createFailure({ state: "muted" }),
    createFailure({ state: "mended", mended_in_version: 4 }),
    createFailure({ state: "open", mended_in_version: 4, reopened_at: at(0) }),
  ].map(stateText);
  expect(texts).toEqual(["Open", "Muted", "Mended by v4", "Open again"]);
});

it("a group is told by its type and message, as far as it has them", () => {
  expect(failureText({ error_type: "KeyError", message: "no <n>" })).toBe("KeyError: no <n>");
  expect(failureText({ error_type: "", message: "no <n>" })).toBe("no <n>");
  expect(failureText({ error_type: "", message: "" })).toBe("Without a reason");
  expect(versionsText([null, 3, 4])).toBe("no version, v3, v4");
  expect([executionsText(1), executionsText(1200)]).toEqual(["1 execution", "1,200 executions"]);
});

it("a mark takes the place of the one before", () => {
  expect(standingAfter({ state: "mended", version: 4 })).toEqual({
    state: "mended",
    mended_in_version: 4,
    marked_by: null,
    marked_at: null,
    reopened_at: null,
  });
  expect(standingAfter({ state: "muted" }).mended_in_version).toBeNull();
});

it("a trend begins where it was counted from, and its largest part is named", () => {
  const failure = createFailure();
  expect(countedSince(failure)).toBe(failure.trend[0]?.start);
  expect(countedSince({ trend: [] })).toBeUndefined();
  expect(trendSentence(failure.trend, "UTC")).toMatch(/^Most failures, 25, from [-\d]{10} [\d:]{5} UTC on$/);
  expect(trendSentence([{ start: at(0), failures: 0 }], "UTC")).toBe("No failures in this time");
});

it("every part with failures has a bar in the box, the largest one all of its height, and none covers another", () => {
  const parts = fc.array(fc.integer({ min: 0, max: 10 ** 6 }), { maxLength: 61 });
  fc.assert(
    fc.property(parts, (counts) => {
      const bars = trendBars(counts.map((failures, place) => ({ start: at(place), failures })));
      expect(bars.map(({ failures }) => failures)).toEqual(counts.filter((failures) => failures > 0));
      const most = Math.max(...counts, 0);
      for (const { failures, height, x, width } of bars) {
        expect(height).toBeGreaterThan(0);
        expect(height === 1).toBe(failures === most);
        expect(x + width).toBeLessThanOrEqual(1);
      }
      for (const [place, bar] of bars.entries()) {
        const next = bars[place + 1];
        if (next !== undefined) expect(bar.x + bar.width).toBeLessThan(next.x);
      }
    }),
  );
});
