/** Times and durations as people read them. All inputs are ISO 8601 texts or milliseconds; nothing reads the clock itself. */

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

/** How long ago: now, 12 s ago, 3 min ago, 5 h ago, 2 d ago, then the date. */
export function agoText(iso: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(iso)) / 1000;
  if (seconds < 0) return inText(-seconds);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)} d ago`;
  return new Date(iso).toLocaleDateString();
}

function inText(seconds: number): string {
  return seconds < 5 ? "now" : `in ${durationText(seconds)}`;
}

/** A moment to come, in the reader's time zone: the time of day, and the date alone where that is another one. */
export function untilText(iso: string, nowMs: number): string {
  const moment = new Date(iso);
  const isToday = moment.toDateString() === new Date(nowMs).toDateString();
  return isToday
    ? `until ${moment.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" })}`
    : `until ${moment.toLocaleDateString(undefined, { day: "numeric", month: "short", ...yearUnlessNow(moment, nowMs) })}`;
}

function yearUnlessNow(moment: Date, nowMs: number): Intl.DateTimeFormatOptions {
  return moment.getFullYear() === new Date(nowMs).getFullYear() ? {} : { year: "numeric" };
}

/** The whole moment, in the reader's time zone, with milliseconds. */
export function exactText(iso: string): string {
  const moment = new Date(iso);
  const time = { hour: "numeric", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 } as const;
  return `${moment.toLocaleDateString()} ${moment.toLocaleTimeString(undefined, time)}`;
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

/** The time of day in the reader's zone, with milliseconds: 09:05:07.042. */
export function clockText(iso: string): string {
  const moment = new Date(iso);
  const clock = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(two).join(":");
  return `${clock}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
}
