/** JSON Schema for forms: the validator that rjsf asks, over @cfworker/json-schema, which needs no eval. Pure. */
import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import {
  createErrorHandler,
  type ErrorSchema,
  ErrorSchemaBuilder,
  type RJSFSchema,
  type RJSFValidationError,
  unwrapErrorHandler,
  type ValidatorType,
  validationDataMerge,
} from "@rjsf/utils";
import { ownValue, stringifyJson } from "./json";
import { fromPlain, toPlainKey } from "./plain-json";
import { withStandIns } from "./stand-ins";

export type Values = Record<string, unknown>;
type Path = (string | number)[];

/** What is wrong with a value, each next to the field it is wrong with. Numbers are compared by what they are worth,
 * whatever their size. Nothing for a schema that is no schema here (say, a pattern of another dialect of regular
 * expressions): the server has the last word. */
export function problemsOf(schema: RJSFSchema, value: unknown): RJSFValidationError[] {
  try {
    return innermost(outcome(schema, value).errors).map((unit) => problem(schema, unit));
  } catch {
    return [];
  }
}

/** For rjsf, whose schemas and values are plain (see plain-json.ts). */
export const jsonSchemaValidator: ValidatorType<Values> = {
  validateFormData(formData, schema, customValidate, transformErrors, uiSchema) {
    const found = problemsOf(exactSchema(schema), fromPlain(formData));
    const errors = transformErrors?.(found, uiSchema) ?? found;
    const validation = { errors, errorSchema: errorSchemaOf(errors) };
    if (customValidate === undefined) return validation;
    const handler = createErrorHandler<Values>(formData ?? {});
    return validationDataMerge(validation, unwrapErrorHandler(customValidate(formData, handler, uiSchema)));
  },
  isValid(schema, formData, rootSchema) {
    try {
      // A part of a schema finds what it refers to in the definitions of the whole.
      const { $defs, definitions } = rootSchema;
      return outcome(exactSchema({ $defs, definitions, ...schema }), fromPlain(formData)).valid;
    } catch {
      return false;
    }
  },
  rawValidation<Result>(schema: RJSFSchema, formData?: unknown) {
    return { errors: problemsOf(exactSchema(schema), fromPlain(formData)) as Result[] };
  },
};

export default jsonSchemaValidator; // what @rjsf/core finds under the name of the one that needs eval, see vite.config.ts

/** Errors as the tree over the fields that rjsf shows. */
export function errorSchemaOf(errors: readonly RJSFValidationError[]): ErrorSchema<Values> {
  const builder = new ErrorSchemaBuilder<Values>();
  for (const { property, message } of errors) {
    if (message !== undefined) builder.addErrors(message, pathOf(property ?? "").map(plainPart));
  }
  return builder.ErrorSchema;
}

/** `repairs[0].kind` and `.repairs.0.kind` as the keys one after the other. */
export function pathOf(field: string): Path {
  return field
    .split(/[.[\]]/)
    .filter((part) => part !== "")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function plainPart(part: string | number): string | number {
  return typeof part === "number" ? part : toPlainKey(part);
}

function exactSchema(schema: RJSFSchema): RJSFSchema {
  return fromPlain(schema) as RJSFSchema;
}

function outcome(schema: RJSFSchema, value: unknown) {
  // Copies, too: the library leaves marks in the schemas that it reads, and knows no undefined.
  const inDoubles = withStandIns(schema, value === undefined ? {} : value);
  return new Validator(inDoubles.schema as Schema, "2020-12", false).validate(inDoubles.value);
}

/** Without errors that only say that something inside is wrong, where that is among the errors too. */
function innermost(errors: readonly OutputUnit[]): OutputUnit[] {
  return errors.filter(
    (unit) =>
      !errors.some(
        (other) =>
          other.keywordLocation.startsWith(`${unit.keywordLocation}/`) ||
          (unit.keyword === "additionalProperties" && other.keyword === "false"),
      ),
  );
}

function problem(schema: RJSFSchema, unit: OutputUnit): RJSFValidationError {
  const missing = unit.keyword === "required" ? /"(.*)"\.$/.exec(unit.error)?.[1] : undefined;
  const path = [...unpointed(unit.instanceLocation), ...(missing === undefined ? [] : [missing])];
  const message = words(unit, at(schema, unpointed(unit.keywordLocation)));
  return {
    name: unit.keyword,
    property: `.${path.join(".")}`,
    message,
    stack: path.length === 0 ? message : `${path.join(".")}: ${message}`,
    schemaPath: unit.keywordLocation,
  };
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  null: "null",
};

/** What is expected, from the schema at that place; the library's own words for keywords that are not listed here and
 * have no numbers in them, since those that it knows are stand-ins. */
function words(unit: OutputUnit, expected: unknown): string {
  const limit = String(expected);
  switch (unit.keyword) {
    case "required":
      return "This field is required.";
    case "type":
      return `Expected ${[expected]
        .flat()
        .map((kind) => KINDS[String(kind)] ?? String(kind))
        .join(" or ")}.`;
    case "enum":
      return Array.isArray(expected)
        ? `Expected one of ${expected.map((each) => stringifyJson(each)).join(", ")}.`
        : "Expected another value.";
    case "const":
      return `Expected ${stringifyJson(expected)}.`;
    case "minimum":
      return `At least ${limit}.`;
    case "maximum":
      return `At most ${limit}.`;
    case "exclusiveMinimum":
      return `More than ${limit}.`;
    case "exclusiveMaximum":
      return `Less than ${limit}.`;
    case "multipleOf":
      return `A multiple of ${limit}.`;
    case "minLength":
      return expected === 1 ? "Must not be empty." : `At least ${limit} characters.`;
    case "maxLength":
      return `At most ${limit} characters.`;
    case "pattern":
      return `Does not match ${limit}`;
    case "format":
      return `Not a valid ${limit}.`;
    case "minItems":
      return `At least ${limit} entries.`;
    case "maxItems":
      return `At most ${limit} entries.`;
    case "uniqueItems":
      return "Each only once.";
    case "false":
      return "There is no such field.";
    default:
      return unit.error;
  }
}

function unpointed(pointer: string): Path {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What stands at a path in a schema, through references into the schema itself. */
function at(schema: unknown, path: Path): unknown {
  return path.reduce<unknown>((inside, key) => {
    const found = ownValue(inside, key);
    return key === "$ref" && typeof found === "string" ? at(schema, unpointed(found)) : found;
  }, schema);
}
