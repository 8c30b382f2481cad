/** What a definition that is being written has so far: its steps, parameters, and the fields of results. Pure. */
import type { OfferedModuleOut } from "@/api/schema.gen";
import { isList, isObject, type Json, type JsonObject, ownValue } from "./json";
import { looseJson, pathAt } from "./json-cursor";
import { type Place, placeOf } from "./json-place";

export type StepFacts = {
  id: string;
  name: string | null;
  /** Of its result, those inside others with dots: as far as the definition or the source of its code says. */
  fields: readonly string[];
};

export type ParameterFacts = { name: string; description: string | null };

export function stepsOf(document: Json | undefined, modules: readonly OfferedModuleOut[]): StepFacts[] {
  return objectsOf(ownValue(document, "steps")).flatMap((step) => {
    const id = textOf(step, "id");
    return id === null || id === "" ? [] : [{ id, name: textOf(step, "name"), fields: fieldsOf(step, modules) }];
  });
}

export function parametersOf(document: Json | undefined): ParameterFacts[] {
  const parameters = ownValue(document, "parameters");
  if (isObject(parameters)) return Object.keys(parameters).map((name) => ({ name, description: null }));
  return objectsOf(parameters).flatMap((each) => {
    const name = textOf(each, "name");
    const description = textOf(each, "description") ?? textOf(ownValue(each, "schema"), "title");
    return name === null || name === "" ? [] : [{ name, description }];
  });
}

/** The id of the step that a position of a text is in; null: it is in none. */
export function stepAt(text: string, position: number): string | null {
  const place = stepPlace(pathAt(text, position));
  return place === null ? null : textOf(ownValue(ownValue(looseJson(text), "steps"), place), "id");
}

/** Where in a text a step begins; null: it has no such step. */
export function placeOfStep(text: string, stepId: string): Place | null {
  const steps = ownValue(looseJson(text), "steps");
  const place = steps !== undefined && isList(steps) ? steps.findIndex((step) => textOf(step, "id") === stepId) : -1;
  return place < 0 ? null : placeOf(text, `$.steps[${place}]`);
}

/** The place of the step at a path into the definition; null: it leads elsewhere. */
export function stepPlace(path: readonly (string | number)[]): number | null {
  return path[0] === "steps" && typeof path[1] === "number" ? path[1] : null;
}

const DEEPEST = 3;

function fieldsOf(step: JsonObject, modules: readonly OfferedModuleOut[]): string[] {
  const outputs = ownValue(step, "outputs");
  const listed = isObject(outputs)
    ? Object.keys(outputs)
    : objectsOf(outputs).map((each) => textOf(each, "name") ?? "");
  const isQuestion = textOf(step, "type") === "human_input";
  const answer = isQuestion ? questionFields(ownValue(ownValue(step, "config"), "ui_schema")) : [];
  const all = [...schemaFields(ownValue(step, "output_schema")), ...listed, ...codeFields(step, modules), ...answer];
  return [...new Set(all.filter((each) => each !== ""))];
}

function codeFields(step: JsonObject, modules: readonly OfferedModuleOut[]): readonly string[] {
  const module = modules.find(({ name }) => name === textOf(step, "module"));
  const code = textOf(step, "step_class") ?? textOf(step, "class");
  return module?.names.find(({ name }) => name === code)?.fields ?? [];
}

function schemaFields(schema: Json | undefined, depth = 1): string[] {
  const properties = ownValue(schema, "properties");
  if (!isObject(properties)) return [];
  return Object.entries(properties).flatMap(([name, property]) => {
    const inner = depth < DEEPEST ? schemaFields(property, depth + 1) : [];
    return [name, ...inner.map((each) => `${name}.${each}`)];
  });
}

/** An answer stands below `human_input`. */
function questionFields(schema: Json | undefined): string[] {
  const listed = objectsOf(ownValue(schema, "fields")).map((each) => textOf(each, "name") ?? "");
  const names = [...schemaFields(schema), ...listed].filter((name) => name !== "");
  return ["human_input", ...names.map((name) => `human_input.${name}`)];
}

function objectsOf(value: Json | undefined): JsonObject[] {
  return value !== undefined && isList(value) ? value.filter(isObject) : [];
}

function textOf(value: Json | undefined, key: string): string | null {
  const text = ownValue(value, key);
  return typeof text === "string" ? text : null;
}
