import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  agoText,
  bytesText,
  clockText,
  durationText,
  exactText,
  momentText,
  secondsBetween,
  shownText,
  shownTimes,
  untilText,
} from "./time";
import { fieldText, isMoment, readMoment, wallText } from "./written-time";

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
  ["2025-12-20T23:30:00Z", "2025-12-21"], // in Berlin
])("%s is %s at new year", (iso, text) => {
  expect(agoText(iso, Date.parse("2026-01-01T00:00:00Z"), "Europe/Berlin")).toBe(text);
});

it("a moment to come is told by the time of day, on other days by the date", () => {
  const now = Date.parse("2026-11-28T20:30:00Z"); // 21:30 in Berlin
  const texts = ["2026-11-28T20:32:00Z", "2026-11-28T23:05:00Z", "2027-01-01T00:00:00Z"].map((iso) =>
    untilText(iso, now, "Europe/Berlin"),
  );
  expect(texts).toEqual(["until 21:32", "until 2026-11-29", "until 2027-01-01"]);
});

it.each([
  ["UTC", "2026-07-01 22:05:06.007 UTC"],
  ["Europe/Berlin", "2026-07-02 00:05:06.007 +02:00"],
  ["America/St_Johns", "2026-07-01 19:35:06.007 -02:30"],
  ["Asia/Kathmandu", "2026-07-02 03:50:06.007 +05:45"],
  ["Pacific/Apia", "2026-07-02 11:05:06.007 +13:00"],
  ["Europe/London", "2026-07-01 23:05:06.007 +01:00"],
])("in %s it is %s: an ISO date, 24 hours, and the zone", (zone, text) => {
  expect(momentText("2026-07-01T22:05:06.007890Z", zone, "millisecond")).toBe(text);
});

describe("an hour that comes twice", () => {
  /** The first and the second time: the same on every clock. */
  const TWICE = [
    ["Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "02:30 +02:00", "02:30 +01:00"],
    ["America/New_York", "2026-11-01T05:59:00Z", "2026-11-01T06:59:00Z", "01:59 -04:00", "01:59 -05:00"],
    ["Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "01:45 +11:00", "01:45 +10:30"],
  ] as const;

  it.each(TWICE)("in %s is told apart wherever it stands", (zone, first, second, firstClock, secondClock) => {
    expect([first, second].map((iso) => clockText(iso, zone, "minute"))).toEqual([firstClock, secondClock]);
    expect(momentText(first, zone)).not.toBe(momentText(second, zone));
    expect(untilText(second, Date.parse(second), zone)).toBe(`until ${secondClock}`);
    expect(wallText(first, zone)).toBe(wallText(second, zone)); // which is why
  });

  it.each(TWICE)("in %s comes back from a field as the one that it was", (zone, first, second) => {
    for (const iso of [first, second]) {
      expect(readMoment(fieldText(iso, zone), zone)).toBe(new Date(iso).toISOString());
    }
    expect(readMoment(wallText(second, zone), zone)).toBe(new Date(first).toISOString()); // without a zone
  });

  it("is not marked on other days, nor an hour before and after", () => {
    const clocks = ["2026-10-24T00:30:00Z", "2026-10-24T23:59:00Z", "2026-10-25T02:00:00Z"].map((iso) =>
      clockText(iso, "Europe/Berlin", "minute"),
    );
    expect(clocks).toEqual(["02:30", "01:59", "03:00"]);
  });
});

it("every moment comes back from a field for it, in every zone", () => {
  const zones = ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"];
  const moments = fc.date({ min: new Date("1990-01-01"), max: new Date("2060-01-01"), noInvalidDate: true });
  fc.assert(
    fc.property(moments, fc.constantFrom(...zones), (moment, zone) => {
      const iso = moment.toISOString();
      expect(readMoment(fieldText(iso, zone), zone)).toBe(iso);
    }),
  );
});

describe("what people write", () => {
  it.each([
    ["2026-11-29 03:00", "2026-11-29T02:00:00.000Z"],
    ["  2026-11-29   3:00:05 ", "2026-11-29T02:00:05.000Z"],
    ["2026-11-29", "2026-11-28T23:00:00.000Z"],
    ["2026-11-29 03:00 UTC", "2026-11-29T03:00:00.000Z"],
    ["2026-11-29T03:00:00.123456Z", "2026-11-29T03:00:00.123Z"],
    ["2026-11-29 03:00 -0330", "2026-11-29T06:30:00.000Z"],
    ["2026-03-29 02:30", "2026-03-29T01:30:00.000Z"], // no clock shows it: it is put on from 2 to 3
  ])("%s is %s in Berlin", (written, iso) => {
    expect(readMoment(written, "Europe/Berlin")).toBe(iso);
  });

  it.each(["", "tomorrow", "29.11.2026", "2026-02-31 10:00", "2026-11-29 25:00", "2026-11-29 3", "11/29/2026 3:00 PM"])(
    "%j is no moment",
    (written) => {
      expect(readMoment(written, "Europe/Berlin")).toBeNull();
      expect(isMoment(written)).toBe(false);
      expect(fieldText(written, "Europe/Berlin")).toBe(written);
    },
  );

  it("is a moment in itself with a zone only", () => {
    expect(["2026-11-29T03:00:00Z", "2026-11-29 03:00", "2026-11-29"].map(isMoment)).toEqual([true, false, false]);
  });
});

it("a time is shown as the reader wants it", () => {
  const now = Date.parse("2026-11-29T03:05:00Z");
  const of = (shown: "relative" | "local" | "utc", zone: string) =>
    shownText("2026-11-29T03:00:00Z", { shown, zone }, now);
  expect(of("relative", "Europe/Berlin")).toBe("5 min ago");
  expect(of("local", "Europe/Berlin")).toBe("2026-11-29 04:00:00 +01:00");
  expect(of("utc", "UTC")).toBe("2026-11-29 03:00:00 UTC");
  expect(["local", "utc", "swatch", null].map(shownTimes)).toEqual(["local", "utc", "relative", "relative"]);
});

it("all of a moment names both zones, or the one that there is", () => {
  const iso = "2026-11-29T03:00:00Z";
  expect(exactText(iso, "Europe/Berlin")).toBe(
    "2026-11-29 04:00:00.000 +01:00 Europe/Berlin, 2026-11-29 03:00:00.000 UTC",
  );
  expect(exactText(iso, "UTC")).toBe("2026-11-29 03:00:00.000 UTC");
});

it.each([
  [512, "512 B"],
  [1229, "1.2 KiB"],
  [52_428_800, "50 MiB"],
])("%d bytes read %s", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});
