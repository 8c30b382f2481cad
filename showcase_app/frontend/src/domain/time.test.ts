import { describe, expect, it } from "vitest";
import { agoText, bytesText, durationText, secondsBetween, untilText } from "./time";

describe("durations", () => {
  it.each([
    [0, "0 ms"],
    [0.0004, "0 ms"],
    [0.42, "420 ms"],
    [1.25, "1.3 s"],
    [9.96, "10 s"],
    [12.9, "12 s"],
    [185, "3 min 05 s"],
    [7440, "2 h 04 min"],
    [273_600, "3 d 4 h"],
  ])("%d seconds read %s", (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });

  it("end at now while something runs, and are never negative", () => {
    const start = "2026-01-01T00:00:00.000000Z";
    expect(secondsBetween(start, null, Date.parse("2026-01-01T00:00:05Z"))).toBe(5);
    expect(secondsBetween(start, "2025-12-31T23:59:59Z", 0)).toBe(0);
  });
});

it.each([
  ["2026-01-01T00:00:00Z", "now"],
  ["2025-12-31T23:59:30Z", "30 s ago"],
  ["2025-12-31T23:00:00Z", "1 h ago"],
  ["2026-01-01T00:01:00Z", "in 1 min 00 s"],
])("%s is %s at new year", (iso, text) => {
  expect(agoText(iso, Date.parse("2026-01-01T00:00:00Z"))).toBe(text);
});

it("a moment to come is told by the time of day, on other days by the date, in other years with the year", () => {
  const now = new Date(2026, 10, 28, 20, 30);
  const texts = [new Date(2026, 10, 28, 21, 32), new Date(2026, 10, 29, 0, 5), new Date(2027, 0, 1)].map((moment) =>
    untilText(moment.toISOString(), now.getTime()),
  );
  expect(texts[0]).toMatch(/^until (21|9):32/);
  expect(texts[1]).toMatch(/29/);
  expect(texts[1]).not.toMatch(/2026|05/);
  expect(texts[2]).toMatch(/2027/);
});

it.each([
  [512, "512 B"],
  [1229, "1.2 KiB"],
  [52_428_800, "50 MiB"],
])("%d bytes read %s", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});
