/** Any JSON, as compact text, for tests that try many: with the numbers and keys that are lost most easily. */
import fc from "fast-check";

const SELDOM_NUMBERS = [
  "-0",
  "1.0",
  "-0.0",
  "1E5",
  "1e-7",
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
  "18446744073709551615",
  "0.1000000000000000055",
  "1e400",
];
const SELDOM_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "toJSON",
  "isLosslessNumber",
  "_t",
  "",
  "a.b",
];

export const numberTexts: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...SELDOM_NUMBERS),
  fc.stringMatching(/^-?(0|[1-9]\d{0,24})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/),
  fc.integer().map(String),
);

const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  numberTexts,
  numberTexts.map((text) => `\u2063${text}`),
);
/** Not of digits alone: the order of those is not kept. */
const keys = fc.oneof(fc.string(), fc.constantFrom(...SELDOM_KEYS)).filter((key) => !/^\d+$/.test(key));

export const { json: jsonTexts, object: objectTexts } = fc.letrec<{ json: string; object: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("null", "true", "false"),
    numberTexts,
    texts.map((text) => JSON.stringify(text)),
    fc.array(tie("json"), { maxLength: 4 }).map((items) => `[${items.join(",")}]`),
    tie("object"),
  ),
  object: fc
    .uniqueArray(fc.tuple(keys, tie("json")), { selector: ([key]) => key, maxLength: 4 })
    .map((fields) => `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`),
}));
