import { describe, expect, it } from "vitest";
import { countText, filterParams, furtherBack, otherFilters, shownFilters, withFilters } from "./execution-filters";

const read = (address: string) => shownFilters(new URLSearchParams(address));

describe("the address of the executions", () => {
  it("says what the list is narrowed to", () => {
    expect(read("status=failed&pipeline_id=p1&q=%20sku%20&window=24h")).toEqual({
      status: ["failed"],
      pipeline_id: "p1",
      q: "sku",
      window: "24h",
    });
    const numbers = "version=7&min_seconds=1.5&max_seconds=90&look_back=100000";
    expect(read(`status=failed&status=cancelled&trigger=cli&worker=host-3&${numbers}`)).toEqual({
      status: ["failed", "cancelled"],
      trigger: "cli",
      worker: "host-3",
      version: 7,
      min_seconds: 1.5,
      max_seconds: 90,
      look_back: 100_000,
    });
  });

  it("is not believed where it is wrong", () => {
    const numbers = "version=0&min_seconds=-1&max_seconds=Infinity&look_back=1e9";
    const filters = read(`status=done&window=9y&started_after=yesterday&q=&${numbers}`);
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

  it("has values of own keys, where they are such", () => {
    const wrong = ["nothing", "=acme", "input.customer="].map((each) => `attribute=${encodeURIComponent(each)}`);
    expect(read(`${wrong.join("&")}&attribute=metadata.team%3Da%3Db`).attribute).toEqual(["metadata.team=a=b"]);
    expect(read(wrong.join("&")).attribute).toBeUndefined();
  });

  it("changes word by word", () => {
    const after = withFilters(new URLSearchParams("status=failed&q=a"), { status: undefined, q: "b", window: "1h" });
    expect(after.toString()).toBe("q=b&window=1h");
    const several = withFilters(after, { status: ["failed", "cancelled"], version: 7, q: undefined });
    expect(several.toString()).toBe("window=1h&status=failed&status=cancelled&version=7");
    expect(withFilters(several, { status: [] }).toString()).toBe("window=1h&version=7");
  });
});

it("a window begins so long before this minute; other filters stay", () => {
  const now = Date.parse("2026-11-25T12:00:42.5Z");
  expect(filterParams({ status: ["failed"], window: "1h" }, now)).toEqual({
    status: ["failed"],
    started_after: "2026-11-25T11:00:00.000Z",
  });
  expect(filterParams({ q: "x" }, now)).toEqual({ q: "x" });
});

it("the filters without a place of their own are said in words", () => {
  const shown = { q: "x", version: 7, trigger: "cli", worker: "host-3", min_seconds: 90, max_seconds: 7200 };
  expect(otherFilters(shown).map(({ text }) => text)).toEqual([
    "v7",
    "Started by: CLI",
    "Worker: host-3",
    "1 min 30 s or longer",
    "2 h 00 min or shorter",
  ]);
  expect(otherFilters({ status: ["failed"], look_back: 5 })).toEqual([]);
  const [first] = otherFilters({ attribute: ["input.customer=acme", "metadata.team=a=b"] });
  expect(first).toEqual({ text: "input.customer=acme", without: { attribute: ["metadata.team=a=b"] } });
});

it("each step back is ten times as far, up to an end", () => {
  expect([furtherBack(), furtherBack(100_000), furtherBack(500_000), furtherBack(1_000_000)]).toEqual([
    100_000,
    1_000_000,
    1_000_000,
    null,
  ]);
});

it("a count that was capped says so", () => {
  expect([countText(9_999), countText(10_000, true)]).toEqual(["9,999", "10,000+"]);
});
