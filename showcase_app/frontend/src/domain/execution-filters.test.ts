import { describe, expect, it } from "vitest";
import { countText, filterParams, shownFilters, withFilters } from "./execution-filters";

const read = (address: string) => shownFilters(new URLSearchParams(address));

describe("the address of the executions", () => {
  it("says what the list is narrowed to", () => {
    expect(read("status=failed&pipeline_id=p1&q=%20sku%20&window=24h")).toEqual({
      status: "failed",
      pipeline_id: "p1",
      q: "sku",
      window: "24h",
    });
  });

  it("is not believed where it is wrong", () => {
    const filters = read("status=done&window=9y&started_after=yesterday&q=");
    expect(Object.values(filters).filter((value) => value !== undefined)).toEqual([]);
  });

  it("takes moments as the metrics link them", () => {
    expect(read("status=failed&started_after=2026-11-24T03%3A00%3A00.000000Z").started_after).toBe(
      "2026-11-24T03:00:00.000000Z",
    );
  });

  it("names a group of failures, and from when on, which means nothing without one", () => {
    const moment = "2026-11-24T03:00:00.000000Z";
    const filters = read(`failure=nightly.0f3a&failed_after=${encodeURIComponent(moment)}`);
    expect([filters.failure, filters.failed_after]).toEqual(["nightly.0f3a", moment]);
    expect(read(`failed_after=${encodeURIComponent(moment)}`).failed_after).toBeUndefined();
    expect(read("failure=nightly.0f3a&failed_after=yesterday").failed_after).toBeUndefined();
  });

  it("changes word by word", () => {
    const after = withFilters(new URLSearchParams("status=failed&q=a"), { status: undefined, q: "b", window: "1h" });
    expect(after.toString()).toBe("q=b&window=1h");
  });
});

it("a window begins so long before this minute; other filters stay", () => {
  const now = Date.parse("2026-11-25T12:00:42.5Z");
  expect(filterParams({ status: "failed", window: "1h" }, now)).toEqual({
    status: "failed",
    started_after: "2026-11-25T11:00:00.000Z",
  });
  expect(filterParams({ q: "x" }, now)).toEqual({ q: "x" });
});

it("a count that was capped says so", () => {
  expect([countText(9_999), countText(10_000, true)]).toEqual(["9,999", "10,000+"]);
});
