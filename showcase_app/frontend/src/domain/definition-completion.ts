/** What may be written at a place of a definition, from the format's JSON Schema, the definition itself and the code that
 * the server allows. Pure. */
import type { OfferedModuleOut } from "@/api/schema.gen";
import { type ParameterFacts, parametersOf, type StepFacts, stepPlace, stepsOf } from "./definition-facts";
import { isObject, type Json, type JsonObject, ownValue } from "./json";
import { cursorAt, type JsonCursor, type Keys, looseJson } from "./json-cursor";
import {
  keysOfSchemas,
  objectSkeleton,
  type SchemaKey,
  type Spellings,
  schemasAt,
  skeletonOf,
  typeOfValue,
  valuesOfSchemas,
} from "./schema-at";

export type Knowledge = {
  /** Of the format; null: not known yet. */
  schema: JsonObject | null;
  /** The code that steps may name. */
  modules: readonly OfferedModuleOut[];
};

/** A change of the text, and where the cursor is after it. */
export type Edit = { from: number; to: number; insert: string; cursor: number };

export type Suggestion = {
  label: string;
  /** What it is, in a word or two. */
  detail: string;
  /** What it means; null: nothing says. */
  info: string | null;
  edit: Edit;
};

export type Suggestions = {
  /** What was written from here to the cursor narrows them down. */
  from: number;
  /** Whether it is in quotes. */
  isQuoted: boolean;
  suggestions: Suggestion[];
};

/** Null: there is nothing to suggest. */
export function suggestionsAt(text: string, position: number, knowledge: Knowledge): Suggestions | null {
  const cursor = cursorAt(text, position);
  if (cursor === null) return null;
  // A key that has no value yet would hide the next one.
  const { from, to } = cursor.place;
  const document = looseJson(
    cursor.kind === "key" && !hasColon(text, to) ? text.slice(0, from) + text.slice(to) : text,
  );
  const found =
    cursor.kind === "key"
      ? keysAt(text, cursor, document, knowledge)
      : valuesAt(text, cursor, document, knowledge, position);
  return found === null || found.suggestions.length === 0 ? null : found;
}

const SPELLINGS: Spellings = {
  class: "step_class",
  from: "from_step",
  to: "to_step",
  transitions: "paths",
  field: "source",
};
const OTHER_SPELLINGS: Spellings = Object.fromEntries(Object.entries(SPELLINGS).map(([other, key]) => [key, other]));

function keysAt(
  text: string,
  cursor: JsonCursor,
  document: Json | undefined,
  { schema }: Knowledge,
): Suggestions | null {
  if (schema === null) return null;
  const schemas = schemasAt(schema, document, cursor.path, SPELLINGS);
  const object = valueAt(document, cursor.path);
  const own = cursor.isQuoted ? text.slice(cursor.place.from + 1, cursor.place.to - 1) : null;
  const isThere = (name: string) => name !== own && ownValue(object, name) !== undefined;
  const keys = keysOfSchemas(schemas).filter(({ name }) => !isThere(name) && !isThere(OTHER_SPELLINGS[name] ?? name));
  return {
    from: startOf(cursor),
    isQuoted: cursor.isQuoted,
    suggestions: keys.map((key) => ({
      label: key.name,
      detail: key.isRequired ? "required" : kindOf(schema, key.schema),
      info: key.description,
      edit: keyEdit(text, cursor, key, schema),
    })),
  };
}

function keyEdit(text: string, { place }: JsonCursor, key: SchemaKey, schema: JsonObject): Edit {
  const name = JSON.stringify(key.name);
  if (hasColon(text, place.to)) return { ...place, insert: name, cursor: place.from + name.length };
  const { before, after } = skeletonOf(schema, key.schema);
  const start = `${name}: ${before}`;
  return { ...place, insert: `${start}${after}${commaBefore(text, place.to)}`, cursor: place.from + start.length };
}

type Value = {
  label: string;
  detail: string;
  info?: string | null;
  /** As JSON: before the cursor, and after it. */
  before: string;
  after?: string;
};

function valuesAt(
  text: string,
  cursor: JsonCursor,
  document: Json | undefined,
  { schema, modules }: Knowledge,
  position: number,
): Suggestions | null {
  const facts = { document, modules, steps: stepsOf(document, modules), parameters: parametersOf(document) };
  const inBraces = cursor.isQuoted ? placeholdersAt(text, cursor, facts, position) : null;
  if (inBraces !== null) return inBraces;
  const values = [
    ...namesAt(cursor.path, facts),
    ...(schema === null ? [] : schemaValues(schema, cursor, document)),
    ...(isTemplate(cursor.path) ? placeholders(facts, cursor.path).map(asTemplate) : []),
  ];
  return {
    from: startOf(cursor),
    isQuoted: cursor.isQuoted,
    suggestions: values.map(({ label, detail, info = null, before, after = "" }) => ({
      label,
      detail,
      info,
      edit: {
        ...cursor.place,
        insert: `${before}${after}${commaBefore(text, cursor.place.to)}`,
        cursor: cursor.place.from + before.length,
      },
    })),
  };
}

type Facts = {
  document: Json | undefined;
  modules: readonly OfferedModuleOut[];
  steps: readonly StepFacts[];
  parameters: readonly ParameterFacts[];
};

/** Names of what else the definition and the server have: steps, code, fields. */
function namesAt(path: Keys, facts: Facts): Value[] {
  const last = path.at(-1);
  const [top, list] = path;
  if (top === "flow" && list === "start_at") return facts.steps.map(stepValue);
  if (top === "flow" && path.length === 4 && typeof last === "string") {
    if (last === "from" || last === "from_step") return facts.steps.map(stepValue);
    if (last === "to" || last === "to_step") return [...facts.steps.map(stepValue), textValue("end", "the end")];
  }
  if (top === "searchable") {
    return facts.parameters.map(({ name, description }) => textValue(`input.${name}`, "parameter", description));
  }
  if (last === "module" || last === "module_path") {
    return facts.modules.map(({ name, is_beside }) => textValue(name, is_beside ? "beside the file" : "module"));
  }
  if (last === "step_class" || last === "class") return codeNames(path, "module", facts);
  if (last === "function_name") return codeNames(path, "module_path", facts);
  if (isInCondition(path)) {
    if (last === "source" || last === "field") return conditionSources(path, facts);
    if (last === "parameter")
      return facts.parameters.map(({ name, description }) => textValue(name, "parameter", description));
  }
  if (stepPlace(path) !== null && path[2] === "config" && path[3] === "on_timeout" && path.length === 4) {
    return [textValue("fail", "the step fails"), ...facts.steps.map(stepValue)];
  }
  return [];
}

function codeNames(path: Keys, moduleKey: string, { document, modules }: Facts): Value[] {
  const named = ownValue(valueAt(document, path.slice(0, -1)), moduleKey);
  const known = modules.filter(({ name }) => name === named);
  const from = known.length > 0 ? known : modules;
  return from.flatMap(({ name: module, names }) =>
    names.map(({ name, description }) => textValue(name, module, description)),
  );
}

/** What a condition may look at: the result of the step before the path, other results, and the input. */
function conditionSources(path: Keys, { document, steps, parameters }: Facts): Value[] {
  const edge = path[0] === "flow" ? valueAt(document, path.slice(0, 3)) : undefined;
  const from = ownValue(edge, "from_step") ?? ownValue(edge, "from");
  const own = steps.find(({ id }) => id === from);
  return [
    ...(own?.fields ?? []).map((field) => textValue(`result.${field}`, `of ${own?.id}`)),
    ...steps.flatMap(({ id, fields }) => fields.map((field) => textValue(`${id}.${field}`, "result"))),
    ...parameters.map(({ name, description }) => textValue(name, "input", description)),
  ];
}

function schemaValues(schema: JsonObject, cursor: JsonCursor, document: Json | undefined): Value[] {
  const schemas = schemasAt(schema, document, cursor.path, SPELLINGS);
  const listed = valuesOfSchemas(schemas).map((value): Value => {
    return { label: value.startsWith('"') ? (JSON.parse(value) as string) : value, detail: "", before: value };
  });
  if (cursor.isQuoted || cursor.written !== "") return listed;
  const objects = schemas.filter((each) => isObject(each.properties));
  const skeletons = objects.map((each): Value => {
    const { before, after } = objectSkeleton(schema, each);
    return { label: `${before}${after}`, detail: "", info: firstLine(each.description), before, after };
  });
  return [...listed, ...skeletons];
}

type Placeholder = { name: string; detail: string; info: string | null };

/** In what is written from a brace on that is not closed yet; null: there is none. */
function placeholdersAt(text: string, cursor: JsonCursor, facts: Facts, position: number): Suggestions | null {
  const brace = cursor.written.lastIndexOf("{");
  if (brace < 0 || cursor.written.includes("}", brace)) return null;
  const isConfig = isInConfig(cursor.path);
  const opening = cursor.place.from + 1 + brace - (cursor.written[brace - 1] === "{" ? 1 : 0);
  const written = cursor.written.slice(brace + 1);
  const rest = /^[^"{}|]*\}{1,2}/.exec(text.slice(position, cursor.place.to - 1))?.[0] ?? "";
  return {
    from: position - written.trimStart().length,
    isQuoted: true,
    suggestions: placeholders(facts, cursor.path).map(({ name, detail, info }) => {
      const insert = isConfig ? `{{ ${name} }}` : `{${name}}`;
      const edit = { from: opening, to: position + rest.length, insert, cursor: opening + insert.length };
      return { label: name, detail, info, edit };
    }),
  };
}

/** What a placeholder at a path may name: in the config of a step parameters alone. */
function placeholders({ document, steps, parameters }: Facts, path: Keys): Placeholder[] {
  const ofInput = parameters.map(({ name, description }) => ({
    name: `parameters.${name}`,
    detail: "parameter",
    info: description,
  }));
  if (isInConfig(path)) return ofInput;
  const place = stepPlace(path);
  const own = place === null ? undefined : ownValue(valueAt(document, ["steps", place]), "id");
  const ofSteps = steps
    .filter(({ id }) => id !== own)
    .flatMap(({ id, name, fields }) => [
      ...fields.map((field) => ({ name: `steps.${id}.output.${field}`, detail: "field", info: name })),
      { name: `steps.${id}.output`, detail: "result", info: name },
    ]);
  return [...ofInput, ...ofSteps, { name: "pipeline_input", detail: "the input", info: null }];
}

function asTemplate({ name, detail, info }: Placeholder): Value {
  return textValue(`{${name}}`, detail, info);
}

function stepValue({ id, name }: StepFacts): Value {
  return textValue(id, "step", name);
}

function textValue(text: string, detail: string, info: string | null = null): Value {
  return { label: text, detail, info, before: JSON.stringify(text) };
}

/** Whether a value is taken from elsewhere: an input of a step, an output, what a condition compares with. */
function isTemplate(path: Keys): boolean {
  if (path[0] === "outputs") return path.length > 1;
  if (isInCondition(path)) return path.at(-1) === "value";
  const isInput = stepPlace(path) !== null && path[2] === "inputs";
  return isInput && (typeof path[3] === "string" || path[4] === "source");
}

function isInConfig(path: Keys): boolean {
  return stepPlace(path) !== null && path[2] === "config";
}

function isInCondition(path: Keys): boolean {
  return (path[0] === "flow" && path[3] === "condition") || (stepPlace(path) !== null && path[2] === "conditions");
}

function valueAt(document: Json | undefined, path: Keys): Json | undefined {
  return path.reduce<Json | undefined>((value, key) => ownValue(value, key), document);
}

/** Where the text begins that narrows down: behind the quote. */
function startOf({ place, isQuoted }: JsonCursor): number {
  return place.from + (isQuoted ? 1 : 0);
}

function hasColon(text: string, position: number): boolean {
  return /^\s*:/.test(text.slice(position));
}

/** A comma where another key or value follows at once. */
function commaBefore(text: string, position: number): string {
  return /^\s*["{[]/.test(text.slice(position)) ? "," : "";
}

function kindOf(root: JsonObject, schema: Json): string {
  const type = typeOfValue(root, schema);
  return type === null ? "" : (KINDS[type] ?? "");
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  array: "list",
  object: "mapping",
  integer: "number",
  number: "number",
  boolean: "yes or no",
};

function firstLine(description: Json | undefined): string | null {
  return typeof description === "string" ? (description.split("\n")[0] ?? null) : null;
}
