/** The form of an answer to a question, from its schema: how it is drawn, and what it begins with. Pure. */
import type { RJSFSchema, UiSchema } from "@rjsf/utils";
import { isObject, type Json, ownValue } from "./json";
import { controlOf, formSchema, formUiSchema } from "./run-form";

/** Of a schema with fields, a control for each; else one control for all of it. */
export function answerForm(ui_schema: unknown): { schema: RJSFSchema; ui: UiSchema } {
  const schema: RJSFSchema = isObject(ui_schema) ? (ui_schema as RJSFSchema) : {};
  const begins = defaultAnswer(ui_schema);
  if (hasFields(schema)) return { schema: formSchema(schema), ui: formUiSchema(schema, begins) };
  return {
    schema: { ...formSchema(schema), title: schema.title ?? "Answer" },
    ui: { ...controlOf(schema, begins, { required: true }), "ui:submitButtonOptions": { norender: true } },
  };
}

/** What the schema says that an answer is where nobody says otherwise; undefined: nothing. */
export function defaultAnswer(ui_schema: unknown): Json | undefined {
  const found = defaultOf(ui_schema);
  return found === undefined && isObject(ui_schema) && isOfFields(ui_schema) ? {} : found;
}

/** What the server refused of a part of the request, by the path inside that part: of `response.why` it is `why`. */
export function refusedInside(fields: Readonly<Record<string, string>>, part: string): Record<string, string> {
  const inside = Object.entries(fields).filter(
    ([field]) => field === part || field.startsWith(`${part}.`) || field.startsWith(`${part}[`),
  );
  return Object.fromEntries(inside.map(([field, detail]) => [field.slice(part.length).replace(/^\./, ""), detail]));
}

function hasFields(schema: RJSFSchema): boolean {
  return Object.keys(schema.properties ?? {}).length > 0;
}

function isOfFields(schema: Record<string, unknown>): boolean {
  return schema.type === "object" || isObject(schema.properties);
}

function defaultOf(schema: unknown): Json | undefined {
  const own = ownValue(schema, "default");
  if (own !== undefined) return own;
  const properties = ownValue(schema, "properties");
  if (!isObject(properties)) return undefined;
  const filled = Object.entries(properties)
    .map(([name, property]) => [name, defaultOf(property)] as const)
    .filter(([, value]) => value !== undefined);
  return filled.length > 0 ? (Object.fromEntries(filled) as Json) : undefined;
}
