/** Numbers by what they are worth, of any size and with any number of digits: nothing is rounded. Pure. */

/** `sign` × 0.`digits` × 10^`exponent`; the digits have no zero at either end, and are none for zero. */
export type Decimal = { sign: -1 | 0 | 1; digits: string; exponent: number };

const ZERO: Decimal = { sign: 0, digits: "", exponent: 0 };

/** Of a number as JSON or JavaScript writes it. Raises RangeError: the text is none. */
export function decimalOf(text: string): Decimal {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (parts === null) throw new RangeError(`${text} is no number`);
  const [, minus, whole = "", fraction = "", power = "0"] = parts;
  const all = whole + fraction;
  const digits = all.replace(/^0+/, "");
  if (digits === "") return ZERO;
  const leading = all.length - digits.length;
  return {
    sign: minus === "-" ? -1 : 1,
    digits: withoutTrailingZeros(digits),
    exponent: Number(power) + whole.length - leading,
  };
}

/** Below, at or above 0: the first is less than, worth the same as or more than the other. */
export function compared(one: Decimal, other: Decimal): number {
  if (one.sign !== other.sign) return one.sign - other.sign;
  if (one.exponent !== other.exponent) return one.sign * (one.exponent < other.exponent ? -1 : 1);
  if (one.digits === other.digits) return 0;
  return one.sign * (one.digits < other.digits ? -1 : 1); // as texts, since both begin at the point
}

export function isWhole({ digits, exponent }: Decimal): boolean {
  return digits.length <= exponent || digits === "";
}

/** Whether it is a whole number of times the other one, which is not zero. */
export function isMultiple(value: Decimal, of: Decimal): boolean {
  if (value.sign === 0) return true;
  const shift = value.exponent - value.digits.length - (of.exponent - of.digits.length);
  if (shift < 0) return false; // its last digit, which is not 0, stands behind the other one's
  const divisor = BigInt(of.digits);
  return (BigInt(value.digits) * powerOfTen(shift, divisor)) % divisor === 0n;
}

/** What remains of 10^`exponent` by the divisor, without the number itself, which may have a billion digits. */
function powerOfTen(exponent: number, divisor: bigint): bigint {
  let remainder = 1n % divisor;
  let factor = 10n % divisor;
  for (let left = BigInt(exponent); left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) remainder = (remainder * factor) % divisor;
    factor = (factor * factor) % divisor;
  }
  return remainder;
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === "0") end -= 1;
  return digits.slice(0, end);
}
