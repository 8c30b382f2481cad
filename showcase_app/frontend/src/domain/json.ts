/** JSON as the pages read and write it: every number keeps its text, every key is a key. Pure.
 *
 * A number that JavaScript writes as it was written is a number here (`25`, `0.5`). Any other is a LosslessNumber, which
 * is its text: `1.0`, `-0.0`, `1E5`, integers beyond 2^53. The order of keys that are digits alone is not kept.
 */
import { isNumber as isNumberText, LosslessNumber, type ParseOptions, parse, stringify } from "lossless-json";

/** Whether a text is a number of JSON, as `1.0` is and `1.` is not. */
export { isNumberText, LosslessNumber };

export type JsonNumber = number | LosslessNumber;
export type JsonObject = { readonly [key: string]: Json };
export type Json = null | boolean | JsonNumber | string | readonly Json[] | JsonObject;

/** Raises SyntaxError: the text is no JSON. Of keys that are there twice the last one counts, as for JSON.parse. */
export function parseJson(text: string): Json {
  const plain = JSON.parse(text) as Json; // quick, says well what is no JSON, and is mostly what was written
  return JSON.stringify(plain) === text ? plain : (parse(text, null, EXACTLY) as Json);
}

const EXACTLY: ParseOptions = { parseNumber: jsonNumber, onDuplicateKey: ({ newValue }) => newValue };

/** As JSON.stringify writes it, numbers by their text; what has no value (undefined) is left out, or null in a list. */
export function stringifyJson(value: unknown, indent = 0): string {
  return stringify(value, null, indent) ?? "null";
}

/** A number by its text. Raises Error: the text is no number of JSON. */
export function jsonNumber(text: string): JsonNumber {
  return String(Number(text)) === text ? Number(text) : new LosslessNumber(text);
}

export function isNumber(value: unknown): value is JsonNumber {
  return typeof value === "number" || value instanceof LosslessNumber;
}

export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof LosslessNumber);
}

/** The value of a key that the object has itself; undefined: it has none. */
export function ownValue(value: unknown, key: string | number): Json | undefined {
  if (Array.isArray(value)) return (value as Json[])[Number(key)];
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** What is read anew, with the parts of what was known that are the same still: who shows them need not draw again. */
export function keptWhereSame(known: unknown, read: unknown): unknown {
  if (known === read) return known;
  if (known instanceof LosslessNumber) {
    return read instanceof LosslessNumber && known.value === read.value ? known : read;
  }
  if (Array.isArray(known) && Array.isArray(read)) {
    const kept = read.map((item, place) => keptWhereSame(known[place], item));
    return known.length === read.length && kept.every((item, place) => item === known[place]) ? known : kept;
  }
  if (!isObject(known) || !isObject(read)) return read;
  const kept = Object.entries(read).map(([key, item]) => [key, keptWhereSame(ownValue(known, key), item)] as const);
  const isSame = ([key, item]: readonly [string, unknown]) => Object.hasOwn(known, key) && known[key] === item;
  const sameSize = Object.keys(known).length === kept.length;
  return sameSize && kept.every(isSame) ? known : Object.fromEntries(kept);
}
