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
    uiOf(property, ownValue(default_input, name)),
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

function titled(schema: RJSFSchema): RJSFSchema {
  const { default: _default, ...rest } = schema;
  const { properties, items } = rest;
  if (isObject(items)) rest.items = titled(items);
  if (properties !== undefined) {
    const named = Object.entries(properties).map(([name, property]) => [
      name,
      typeof property === "boolean" ? property : titled({ title: titleOf(name), ...property }),
    ]);
    rest.properties = Object.fromEntries(named);
  }
  return rest;
}

function uiOf(schema: RJSFSchema | boolean, value: unknown): UiSchema {
  if (typeof schema === "boolean" || isFree(schema)) return { "ui:field": "json" };
  if (schema.type === "array" && isTexts(schema.items)) return { "ui:widget": "tags" };
  if (schema.type === "object") return formUiSchema(schema, value);
  if (schema.type !== "string" || schema.enum !== undefined) return {};
  return {
    // Cleared, it is an empty text; without a value it would get its default again.
    ...(typeof value === "string" && schema.format === undefined ? { "ui:emptyValue": "" } : {}),
    ...(isLong(schema) ? { "ui:widget": "textarea", "ui:options": { autosize: true, minRows: 3, maxRows: 12 } } : {}),
  };
}

/** Whether it may be anything, or an object of any fields: no control fits but JSON. */
function isFree(schema: RJSFSchema): boolean {
  const shaped = ["enum", "const", "oneOf", "anyOf", "allOf", "$ref"].some((keyword) => keyword in schema);
  if (shaped) return false;
  if (schema.type === undefined || Array.isArray(schema.type)) return true;
  if (schema.type === "array") return schema.items === undefined || typeof schema.items === "boolean";
  return schema.type === "object" && schema.properties === undefined;
}

function isTexts(items: RJSFSchema["items"]): boolean {
  return typeof items === "object" && !Array.isArray(items) && items.type === "string" && items.enum === undefined;
}

function isLong(schema: RJSFSchema): boolean {
  return schema.format === "textarea" || schema.contentMediaType !== undefined || (schema.maxLength ?? 0) > LONG_TEXT;
}
