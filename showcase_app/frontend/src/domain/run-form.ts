/** How a form for a pipeline's input is drawn: titles where there are none, and the control that fits each field. Pure. */
import type { RJSFSchema, UiSchema } from "@rjsf/utils";
import { isObject, ownValue } from "./json";
import { toPlainKey, toPlainSchema } from "./plain-json";

/** The schema for the form: everything has a title, and no defaults, since the form is filled in when it is opened (a
 * default that comes back the moment its field is cleared cannot be replaced). It is plain, as the form's values are. */
export function formSchema(schema: RJSFSchema): RJSFSchema {
  const { title: _title, description: _description, ...root } = schema;
  return toPlainSchema(titled(root)) as RJSFSchema;
}

/** `default_input` is what the form is filled in with at first. */
export function formUiSchema(schema: RJSFSchema, default_input: unknown): UiSchema {
  const controls = Object.entries(schema.properties ?? {}).map(([name, property]) => [
    toPlainKey(name),
    controlOf(property, ownValue(default_input, name), { required: schema.required?.includes(name) }),
  ]);
  return { "ui:submitButtonOptions": { norender: true }, ...Object.fromEntries(controls) };
}

/** `max_repairs` and `maxRepairs` read Max repairs. */
export function titleOf(name: string): string {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const LONG_TEXT = 200;
const TIMES = ["date", "time", "date-time"];

function titled(schema: RJSFSchema): RJSFSchema {
  const { default: _default, ...rest } = schema;
  const { properties, items } = rest;
  const named = namedValues(schema);
  if (named !== undefined) {
    delete rest.oneOf;
    delete rest.anyOf;
    rest.enum = named.map(({ const: value }) => value);
  }
  if (isObject(items)) rest.items = titled(items);
  if (properties !== undefined) {
    const drawn = Object.entries(properties).map(([name, property]) => [
      name,
      typeof property === "boolean" ? property : titled({ title: titleOf(name), ...property }),
    ]);
    rest.properties = Object.fromEntries(drawn);
  }
  return rest;
}

/** The control that fits a field; `value` is what it begins with. */
export function controlOf(schema: RJSFSchema | boolean, value: unknown, { required = false } = {}): UiSchema {
  if (typeof schema === "boolean" || isFree(schema)) return { "ui:field": "json" };
  const widget = schema["x-widget"];
  // A switch has no place for what has not been decided yet.
  if (widget === "radio" || (schema.type === "boolean" && required && value === undefined)) {
    return { "ui:widget": "radio", ...withNames(schema) };
  }
  if (schema.type === "array" && widget === "checkboxes") return { "ui:widget": "checkboxes" };
  if (schema.type === "array" && isTexts(schema.items)) return { "ui:widget": "tags" };
  if (schema.type === "object") return formUiSchema(schema, value);
  if (schema.type !== "string" || schema.enum !== undefined) return withNames(schema);
  return {
    // Cleared, it is an empty text; without a value it would get its default again.
    ...(typeof value === "string" && schema.format === undefined ? { "ui:emptyValue": "" } : {}),
    ...(isLong(schema) ? { "ui:widget": "textarea", "ui:options": { autosize: true, minRows: 3, maxRows: 12 } } : {}),
  };
}

type NamedValue = { const: NonNullable<RJSFSchema["enum"]>[number] | null; title?: string };

const NONE: NamedValue = { const: null, title: "None" };

/**
 * Values to choose from that have names: the form draws such a choice as an `enum`. They are named values where the
 * schema says no type, and those that may be left open (`null` among them, or beside them), since that has a name.
 */
function namedValues(schema: RJSFSchema): NamedValue[] | undefined {
  if (schema.enum?.includes(null)) return schema.enum.map((value) => (value === null ? NONE : { const: value }));
  if (schema.type !== undefined) return undefined;
  const { oneOf, anyOf } = schema;
  if (oneOf?.every(isNamed)) return oneOf as NamedValue[];
  const parts = (anyOf ?? oneOf)?.filter(isObject) ?? [];
  const [choice] = parts.filter((part) => part.type !== "null");
  if (parts.length !== 2 || choice === undefined || parts.every((part) => part.type !== "null")) return undefined;
  const values = valuesOf(choice as RJSFSchema);
  return values === undefined ? undefined : [...values.filter((value) => value.const !== null), NONE];
}

function valuesOf(choice: RJSFSchema): NamedValue[] | undefined {
  if (choice.enum !== undefined) return choice.enum.map((value) => ({ const: value }));
  if (isNamed(choice)) return [{ const: choice.const as NamedValue["const"] }];
  return choice.oneOf?.every(isNamed) ? (choice.oneOf as NamedValue[]) : undefined;
}

function isNamed(each: unknown): boolean {
  return isObject(each) && "const" in each;
}

function withNames(schema: RJSFSchema): UiSchema {
  const named = namedValues(schema);
  return named === undefined ? {} : { "ui:enumNames": named.map(({ const: value, title }) => title ?? String(value)) };
}

/** Whether it may be anything, or an object of any fields: no control fits but JSON. */
function isFree(schema: RJSFSchema): boolean {
  const shaped = ["enum", "const", "oneOf", "anyOf", "allOf", "$ref"].some((keyword) => keyword in schema);
  if (shaped) return false;
  if (schema.type === undefined || Array.isArray(schema.type)) return !isTimeOrNull(schema);
  if (schema.type === "array") return schema.items === undefined || typeof schema.items === "boolean";
  return schema.type === "object" && schema.properties === undefined;
}

/** Whether it is a date, a time or a moment that may be left open: a picker has nothing then. */
function isTimeOrNull({ type, format }: RJSFSchema): boolean {
  const isTextOrNull = Array.isArray(type) && type.length === 2 && type.includes("string") && type.includes("null");
  return isTextOrNull && TIMES.includes(format ?? "");
}

function isTexts(items: RJSFSchema["items"]): boolean {
  return typeof items === "object" && !Array.isArray(items) && items.type === "string" && items.enum === undefined;
}

function isLong(schema: RJSFSchema): boolean {
  if (schema["x-widget"] === "textarea") return true;
  return schema.format === "textarea" || schema.contentMediaType !== undefined || (schema.maxLength ?? 0) > LONG_TEXT;
}
