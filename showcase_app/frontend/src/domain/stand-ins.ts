/** Numbers that a validator which computes in doubles is given in the place of exact ones: with them it decides as it
 * should with those. Pure.
 *
 * What JSON Schema says of a number is its place among others (`minimum`, `enum`, `uniqueItems`), whether it is whole,
 * and what it is a multiple of. A stand-in is half of a whole number: they rise as the numbers do, are whole where those
 * are, and are a multiple of half a prime where those are one of the divisor for which this prime stands.
 */
import { compared, type Decimal, decimalOf, isMultiple, isWhole } from "./decimal";
import { isNumber, isObject, type JsonNumber } from "./json";

const PRIMES: readonly number[] = [3, 5, 7, 11, 13];

/** Copies of a schema and of a value, with stand-ins, and without what has no value (undefined).
 * Raises RangeError: there are more divisors than primes, or a number is none. */
export function withStandIns(schema: unknown, value: unknown): { schema: unknown; value: unknown } {
  const numbers = new Map<string, Decimal>();
  const divisors = new Map<string, Decimal>();
  const noted = (into: Map<string, Decimal>) => (number: JsonNumber) => {
    into.set(String(number), decimalOf(String(number)));
    return 0;
  };
  schemaWith(schema, noted(numbers), noted(divisors));
  valueWith(value, noted(numbers));

  const primes = primesOf(divisors);
  const ofNumbers = standInsOf(numbers, [...primes.values()]);
  const standIn = (number: JsonNumber) => ofNumbers.get(String(number)) ?? 0;
  const divisor = (number: JsonNumber) => (primes.get(String(number))?.prime ?? 0) / 2;
  return { schema: schemaWith(schema, standIn, divisor), value: valueWith(value, standIn) };
}

type Divisor = { divisor: Decimal; prime: number };

/** By their text. What is not above zero has none: nothing is a multiple of it. */
function primesOf(divisors: ReadonlyMap<string, Decimal>): Map<string, Divisor> {
  const usable = [...divisors].filter(([, divisor]) => divisor.sign > 0);
  if (usable.length > PRIMES.length) throw new RangeError(`${usable.length} divisors are too many`);
  return new Map(usable.map(([text, divisor], place) => [text, { divisor, prime: PRIMES[place] ?? 0 }]));
}

function standInsOf(numbers: ReadonlyMap<string, Decimal>, divisors: readonly Divisor[]): Map<string, number> {
  const rising = [...numbers].sort(([, one], [, other]) => compared(one, other));
  const found = new Map<string, number>();
  let halves = 0;
  let before: Decimal | undefined;
  for (const [text, number] of rising) {
    if (before === undefined || compared(before, number) !== 0) halves = nextHalves(halves + 1, number, divisors);
    found.set(text, halves / 2);
    before = number;
  }
  return found;
}

/** There is one within twice the product of the primes, since these have no divisor in common. */
function nextHalves(from: number, number: Decimal, divisors: readonly Divisor[]): number {
  const whole = isWhole(number);
  const rules = divisors.map(({ divisor, prime }) => ({ prime, divides: isMultiple(number, divisor) }));
  const fits = (halves: number) =>
    (halves % 2 === 0) === whole && rules.every(({ prime, divides }) => (halves % prime === 0) === divides);
  let halves = from;
  while (!fits(halves)) halves += 1;
  return halves;
}

type Replace = (number: JsonNumber) => number;

const LIMITS: ReadonlySet<string> = new Set(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);
/** Keywords with a schema for each name. */
const NAMED: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "$defs",
  "definitions",
]);

function schemaWith(schema: unknown, replace: Replace, divisor: Replace): unknown {
  const inside = (part: unknown) => schemaWith(part, replace, divisor);
  if (isNumber(schema)) return Number(String(schema)); // a length or a count
  if (Array.isArray(schema)) return schema.map(inside);
  if (!isObject(schema)) return schema;
  const ofKeyword = (keyword: string, part: unknown): unknown => {
    if (keyword === "multipleOf" && isNumber(part)) return divisor(part);
    if (LIMITS.has(keyword) && isNumber(part)) return replace(part);
    if (keyword === "enum" || keyword === "const") return valueWith(part, replace);
    return NAMED.has(keyword) && isObject(part) ? changed(part, (_name, each) => inside(each)) : inside(part);
  };
  return changed(schema, ofKeyword);
}

function valueWith(value: unknown, replace: Replace): unknown {
  if (isNumber(value)) return replace(value);
  if (Array.isArray(value)) return value.map((item) => valueWith(item ?? null, replace));
  return isObject(value) ? changed(value, (_key, item) => valueWith(item, replace)) : value;
}

function changed(object: object, change: (key: string, item: unknown) => unknown): unknown {
  const items = Object.entries(object).filter(([, item]) => item !== undefined);
  return Object.fromEntries(items.map(([key, item]) => [key, change(key, item)]));
}
