/** Rows of the server, read: their own numbers are plain ones, to compute with; payloads keep every number's text. */
import { isList, isObject, type Json, LosslessNumber, parseJson } from "@/domain/json";
import type { components } from "./schema.gen";

/** The fields whose value is somebody's JSON; the compiler holds the list to the server's document. */
const PAYLOADS = {
  input_data: true,
  output_data: true,
  metadata: true,
  data: true,
  definition: true,
  input_schema: true,
  default_input: true,
  last_input: true,
  ui_schema: true,
  on_timeout: true,
  response: true,
  step_input: true,
  step_output: true,
  overrides: true,
} satisfies Record<PayloadField, true>;

/** What a JSON text of the server holds. Raises SyntaxError: it is none. */
export function readRows(text: string): Json {
  return withPlainNumbers(parseJson(text));
}

function withPlainNumbers(value: Json): Json {
  if (value instanceof LosslessNumber) return Number(value.value);
  if (isList(value)) return value.map(withPlainNumbers);
  if (!isObject(value)) return value;
  const isMessage = "type" in value; // of a socket: its `data` is a row
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => {
      const isPayload = Object.hasOwn(PAYLOADS, key) && !(isMessage && key === "data");
      return [key, isPayload ? field : withPlainNumbers(field)];
    }),
  );
}

type Schemas = components["schemas"];
type PayloadField = { [Name in keyof Schemas]: PayloadFieldOf<Schemas[Name]> }[keyof Schemas];
type PayloadFieldOf<Row> = Row extends object
  ? { [Field in keyof Row & string]-?: IsAnyJson<Row[Field]> extends true ? Field : never }[keyof Row & string]
  : never;
/** Anything, or an object of any fields. */
type IsAnyJson<Value> = unknown extends Value ? true : IsAnyObject<NonNullable<Value>>;
type IsAnyObject<Value> = string extends keyof Value
  ? Value extends Record<string, infer Field>
    ? [Field] extends [never]
      ? true
      : unknown extends Field
        ? true
        : false
    : false
  : false;
