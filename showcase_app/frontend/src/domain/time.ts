/** Times and durations as people read them (for how they write them see written-time.ts). All inputs are ISO 8601 texts or milliseconds; nothing
 * reads the clock itself. Dates are ISO dates, clocks have 24 hours, and a whole moment names its zone by the distance to
 * UTC, so that both hours of a night on which clocks are put back can be told apart. A zone is an IANA name. */

export const UTC = "UTC";

/** How times are shown: how long ago, or as moments in the zone of the reader or in UTC. */
export type ShownTimes = "relative" | "local" | "utc";

/** How times are shown to a reader, and the zone of what is shown as a moment. */
export type TimeStyle = { shown: ShownTimes; zone: string };

/** What a word of the browser's storage stands for; how long ago, where it stands for nothing. */
export function shownTimes(word: unknown): ShownTimes {
  return word === "local" || word === "utc" ? word : "relative";
}

/** Seconds in few characters: 0.4 s, 12 s, 3 min 05 s, 2 h 04 min, 3 d 4 h. */
export function durationText(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 10) return "10 s";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** A time as the reader wants it. */
export function shownText(iso: string, { shown, zone }: TimeStyle, nowMs: number): string {
  return shown === "relative" ? agoText(iso, nowMs, zone) : momentText(iso, zone);
}

/** How long ago: now, 12 s ago, 3 min ago, 5 h ago, 2 d ago, then the date. */
export function agoText(iso: string, nowMs: number, zone: string): string {
  const seconds = (nowMs - Date.parse(iso)) / 1000;
  if (seconds < 0) return inText(-seconds);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)} d ago`;
  return dateText(iso, zone);
}

function inText(seconds: number): string {
  return seconds < 5 ? "now" : `in ${durationText(seconds)}`;
}

/** A moment to come: the time of day, and the date alone where that is another one. */
export function untilText(iso: string, nowMs: number, zone: string): string {
  const date = dateText(iso, zone);
  return `until ${date === wallOf(nowMs, zone).date ? clockText(iso, zone, "minute") : date}`;
}

/** As exact as a text is: to the minute, the second or the millisecond. */
export type Exactness = "minute" | "second" | "millisecond";

export const CLOCK_LENGTHS: Readonly<Record<Exactness, number>> = { minute: 5, second: 8, millisecond: 12 };

/** A whole moment: 2026-10-25 02:30:05 +01:00, or 2026-10-25 01:30:05 UTC. */
export function momentText(iso: string, zone: string, exactness: Exactness = "second"): string {
  const { date, clock, offset } = wallOf(Date.parse(iso), zone);
  return `${date} ${clock.slice(0, CLOCK_LENGTHS[exactness])} ${zone === UTC ? UTC : offset}`;
}

/** All that is known of a moment: in the zone, with its name, and in UTC. */
export function exactText(iso: string, zone: string): string {
  const inUtc = momentText(iso, UTC, "millisecond");
  return zone === UTC ? inUtc : `${momentText(iso, zone, "millisecond")} ${zone}, ${inUtc}`;
}

export function dateText(iso: string, zone: string): string {
  return wallOf(Date.parse(iso), zone).date;
}

/** The time of day, where the date is known: 09:05:07.042. Of an hour that comes twice, with its distance to UTC. */
export function clockText(iso: string, zone: string, exactness: Exactness = "millisecond"): string {
  const at = Date.parse(iso);
  const { clock, offset } = wallOf(at, zone);
  const text = clock.slice(0, CLOCK_LENGTHS[exactness]);
  return isTwice(at, zone) ? `${text} ${offset}` : text;
}

/** What a clock and a calendar on a wall show: 2026-10-25, 02:30:05.042, and their distance to UTC, +01:00. */
type Wall = { date: string; clock: string; offset: string };

const formats = new Map<string, Intl.DateTimeFormat>();
const WALL_PARTS = {
  ...({ hourCycle: "h23", timeZoneName: "longOffset" } as const),
  ...({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" } as const),
  second: "2-digit",
} as const;

export function wallOf(at: number, zone: string): Wall {
  if (zone === UTC) {
    const iso = new Date(at).toISOString();
    return { date: iso.slice(0, 10), clock: iso.slice(11, 23), offset: "+00:00" };
  }
  const format = formats.get(zone) ?? new Intl.DateTimeFormat("en-US", { ...WALL_PARTS, timeZone: zone });
  formats.set(zone, format);
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
  for (const { type, value } of format.formatToParts(at)) parts[type] = value;
  const { year = "", month, day, hour, minute, second, timeZoneName = "" } = parts;
  const thousandths = String(((at % 1000) + 1000) % 1000).padStart(3, "0");
  return {
    date: `${year.padStart(4, "0")}-${month}-${day}`,
    clock: `${hour}:${minute}:${second}.${thousandths}`,
    offset: timeZoneName.replace("GMT", "") || "+00:00",
  };
}

const DAY_MS = 86_400_000;

/** Milliseconds of a distance to UTC: +05:30, -0330. */
export function offsetMs(offset: string): number {
  const [hours = "0", minutes = "0", seconds = "0"] = offset.slice(1).match(/\d\d/g) ?? [];
  const length = (Number(hours) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000;
  return offset.startsWith("-") ? -length : length;
}

function offsetAt(at: number, zone: string): number {
  return offsetMs(wallOf(at, zone).offset);
}

/** When a clock on the wall shows something (as if it showed UTC), once or twice; never: when it would, had it not been
 * put on. */
function instantsOf(wall: number, zone: string): number[] {
  const before = wall - offsetAt(wall - DAY_MS, zone);
  const after = wall - offsetAt(wall + DAY_MS, zone);
  const shown = [...new Set([before, after])].filter((at) => at + offsetAt(at, zone) === wall);
  return shown.length === 0 ? [before] : shown;
}

/** The first of them. */
export function instantOf(wall: number, zone: string): number {
  return Math.min(...instantsOf(wall, zone));
}

function isTwice(at: number, zone: string): boolean {
  return zone !== UTC && instantsOf(at + offsetAt(at, zone), zone).length > 1;
}

/** The clock on the wall at a moment, as if it showed UTC: what calendars count with. */
export function wallMs(at: number, zone: string): number {
  return at + (zone === UTC ? 0 : offsetAt(at, zone));
}

/** Seconds between two moments; `end` null = until now. Never negative. */
export function secondsBetween(start: string, end: string | null, nowMs: number): number {
  return Math.max(0, ((end === null ? nowMs : Date.parse(end)) - Date.parse(start)) / 1000);
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** Bytes in few characters: 512 B, 1.2 KiB, 3.4 MiB. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
