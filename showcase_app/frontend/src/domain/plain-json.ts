/** JSON in a form that other libraries may copy, compare and take apart: without instances of classes, which they make
 * objects of, and without keys that every object inherits (`__proto__`, `constructor`), which they lose. Pure.
 *
 * Both become texts behind a mark. The mark cannot be seen: where a library shows such a text, it reads as it is.
 */
import { compared, decimalOf } from "./decimal";
import { isNumberText, isObject, LosslessNumber } from "./json";

/** U+2063, INVISIBLE SEPARATOR. */
const MARK = "\u2063";

/** All stays as it is but those numbers and keys. */
export function toPlain(value: unknown): unknown {
  return converted(value, toPlainLeaf, toPlainKey);
}

/** What `toPlain` was called with. */
export function fromPlain(value: unknown): unknown {
  return converted(value, fromPlainLeaf, fromPlainKey);
}

/** A JSON Schema. The values that it lists keep their text; of its limits it is their worth that counts. */
export function toPlainSchema(schema: unknown): unknown {
  return toPlain(withPlainLimits(schema));
}

export function toPlainKey(key: string): string {
  return isInherited(unmarked(key)) ? MARK + key : key;
}

export function fromPlainKey(key: string): string {
  return key.startsWith(MARK) && isInherited(unmarked(key)) ? key.slice(MARK.length) : key;
}

type Convert<Part> = (part: Part) => Part;

function converted(value: unknown, leaf: Convert<unknown>, key: Convert<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => converted(item, leaf, key));
  if (!isObject(value)) return leaf(value);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [key(name), converted(item, leaf, key)]));
}

function toPlainLeaf(leaf: unknown): unknown {
  if (leaf instanceof LosslessNumber) return MARK + leaf.value;
  return isMarkedNumber(leaf) ? MARK + leaf : leaf; // a text that happens to look like one
}

function fromPlainLeaf(leaf: unknown): unknown {
  if (!isMarkedNumber(leaf)) return leaf;
  const rest = leaf.slice(MARK.length);
  return rest.startsWith(MARK) ? rest : new LosslessNumber(rest);
}

function isMarkedNumber(leaf: unknown): leaf is string {
  return typeof leaf === "string" && leaf.startsWith(MARK) && isNumberText(unmarked(leaf));
}

function unmarked(text: string): string {
  let start = 0;
  while (text.startsWith(MARK, start)) start += MARK.length;
  return text.slice(start);
}

/** `_t` is not, but how jsondiffpatch knows a list. */
function isInherited(key: string): boolean {
  return key in Object.prototype || key === "prototype" || key === "_t";
}

const LISTED: ReadonlySet<string> = new Set(["enum", "const", "default", "examples"]);

function withPlainLimits(schema: unknown): unknown {
  if (schema instanceof LosslessNumber) return asPlainNumber(schema);
  if (Array.isArray(schema)) return schema.map(withPlainLimits);
  if (!isObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, part]) => [key, LISTED.has(key) ? part : withPlainLimits(part)]),
  );
}

/** `5.0` as 5: the same number, where there is one. */
function asPlainNumber(number: LosslessNumber): number | LosslessNumber {
  const plain = Number(number.value);
  if (!Number.isFinite(plain)) return number;
  return compared(decimalOf(number.value), decimalOf(String(plain))) === 0 ? plain : number;
}
