import fc from "fast-check";
import { expect, it } from "vitest";
import { compared, decimalOf, isMultiple, isWhole } from "./decimal";

const PLACES = 60n;
const numbers = fc.stringMatching(/^-?(0|[1-9]\d{0,22})(\.\d{1,20})?([eE][+-]?[0-2]\d)?$/);

/** So many units of 10^-60. */
function units(text: string): bigint {
  const [, minus, whole = "", fraction = "", power = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE](.*))?$/.exec(text) ?? [];
  const magnitude = BigInt(whole + fraction) * 10n ** (PLACES - BigInt(fraction.length) + BigInt(Number(power)));
  return minus === "-" ? -magnitude : magnitude;
}

it("numbers are compared by what they are worth", () => {
  fc.assert(
    fc.property(numbers, numbers, (one, other) => {
      const [first, second] = [units(one), units(other)];
      expect(Math.sign(compared(decimalOf(one), decimalOf(other)))).toBe(first < second ? -1 : first > second ? 1 : 0);
    }),
  );
});

it("a number is whole when nothing stands behind its point", () => {
  fc.assert(fc.property(numbers, (text) => isWhole(decimalOf(text)) === (units(text) % 10n ** PLACES === 0n)));
});

it("a number is a multiple of another, or not", () => {
  const some = fc.oneof(numbers, fc.constantFrom("0.1", "0.01", "2", "7", "1e3"));
  fc.assert(
    fc.property(numbers, some, fc.bigInt({ min: -1000n, max: 1000n }), (text, divisor, times) => {
      if (units(divisor) <= 0n) return;
      expect(isMultiple(decimalOf(text), decimalOf(divisor))).toBe(units(text) % units(divisor) === 0n);
      expect(isMultiple(decimalOf(`${times}`), decimalOf("3"))).toBe(times % 3n === 0n);
    }),
  );
});

it.each([
  ["1.0", "1", 0],
  ["-0.0", "0", 0],
  ["1E5", "100000", 0],
  ["9007199254740993", "9007199254740992", 1],
  ["1e400", "1e399", 1],
  ["-1e400", "1e-400", -1],
  ["0", "0.5", -1],
])("%s against %s: %i", (one, other, sign) => {
  expect(Math.sign(compared(decimalOf(one), decimalOf(other)))).toBe(sign);
  expect(Math.sign(compared(decimalOf(other), decimalOf(one)))).toBe(-sign + 0);
});

it("a number with a billion digits takes no room", () => {
  const huge = decimalOf("1e1000000000");
  expect([isWhole(huge), isMultiple(huge, decimalOf("7")), isMultiple(huge, decimalOf("1e3"))]).toEqual([
    true,
    false,
    true,
  ]);
});

it("what is no number is refused", () => {
  expect(() => decimalOf("1.")).toThrow(RangeError);
});
