/** Moments as people write them into fields, and as calendars count: see time.ts for what zones are. Pure. */
import { CLOCK_LENGTHS, instantOf, momentText, offsetMs, UTC, wallOf } from "./time";

/** A moment as a field for it has it: to the minute where it is one, with its zone. What is no moment stays as it is. */
export function fieldText(value: string, zone: string): string {
  const iso = readMoment(value, UTC);
  if (iso === null) return value;
  const rest = Date.parse(iso) % 60_000;
  return momentText(iso, zone, rest === 0 ? "minute" : rest % 1000 === 0 ? "second" : "millisecond");
}

/** Whether a text is a moment in itself, whatever the zone: with a date, a clock and a zone. */
export function isMoment(text: string): boolean {
  return /(Z|UTC|[+-]\d\d:?\d\d)$/i.test(text) && text.includes(":") && readMoment(text, UTC) !== null;
}

const WRITTEN = /^(\d{4}-\d\d-\d\d)(?:[T ]+(\d\d?:\d\d(?::\d\d(?:\.\d{1,6})?)?))? *(?:(Z|UTC)|([+-]\d\d:?\d\d))?$/i;

/** The ISO text of a moment as people write it (2026-10-25 02:30, with or without a zone; a date alone is its midnight);
 * null: it is none. Where its hour comes twice and it names no zone, it is the first; where it never comes, the clock has
 * been put on. */
export function readMoment(written: string, zone: string): string | null {
  const [, date = "", clock = "00:00", utc, offset] = WRITTEN.exec(written.trim()) ?? [];
  const wall = Date.parse(`${date}T${clock.replace(/^(\d):/, "0$1:")}Z`);
  if (Number.isNaN(wall) || new Date(wall).toISOString().slice(0, 10) !== date) return null;
  const at = utc !== undefined ? wall : offset !== undefined ? wall - offsetMs(offset) : instantOf(wall, zone);
  return new Date(at).toISOString();
}

/** What a calendar in the zone shows: 2026-10-25 02:30:05. */
export function wallText(iso: string, zone: string): string {
  const { date, clock } = wallOf(Date.parse(iso), zone);
  return `${date} ${clock.slice(0, CLOCK_LENGTHS.second)}`;
}
