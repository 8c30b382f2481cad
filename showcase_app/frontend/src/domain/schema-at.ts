/** What a JSON Schema says of a place in a document: the keys that an object may have, the values that fit. Pure. */
import { isList, isObject, type Json, type JsonObject, ownValue } from "./json";
import type { Keys } from "./json-cursor";

export type SchemaKey = {
  name: string;
  schema: Json;
  isRequired: boolean;
  /** What it means; null: the schema does not say. */
  description: string | null;
};

/** Another word for a key → the key. */
export type Spellings = Readonly<Record<string, string>>;

/** A value in words of JSON, and what of it is to be filled in next: between `before` and `after`. */
export type Skeleton = { before: string; after: string };

/** The schemas that hold for the value at a path: more than one where the document does not decide yet. */
export function schemasAt(
  root: JsonObject,
  document: Json | undefined,
  path: Keys,
  spellings: Spellings,
): JsonObject[] {
  let schemas = branches(root, root, document);
  let value = document;
  for (const key of path) {
    value = value === undefined ? undefined : ownValue(value, key);
    const here = value;
    schemas = schemas.flatMap((schema) => below(schema, key, spellings)).flatMap((each) => branches(root, each, here));
  }
  return schemas;
}

/** The keys that an object may have, those that it must have first. */
export function keysOfSchemas(schemas: readonly JsonObject[]): SchemaKey[] {
  const keys = new Map<string, SchemaKey>();
  for (const schema of schemas) {
    const required = ownValue(schema, "required");
    for (const [name, property] of Object.entries(propertiesOf(schema))) {
      if (keys.has(name)) continue;
      const isRequired = isList(required ?? null) && (required as readonly Json[]).includes(name);
      keys.set(name, { name, schema: property, isRequired, description: aboutKey(schema, name, property) });
    }
  }
  return [...keys.values()].sort((one, other) => Number(other.isRequired) - Number(one.isRequired));
}

/** The values that the schemas name one by one, as JSON. */
export function valuesOfSchemas(schemas: readonly JsonObject[]): string[] {
  const values = schemas.flatMap((schema): Json[] => {
    const listed = schema.enum;
    if (schema.const !== undefined) return [schema.const];
    if (listed !== undefined && isList(listed)) return [...listed];
    return schema.type === "boolean" ? [true, false] : [];
  });
  return [...new Set(values.map((value) => JSON.stringify(value)))];
}

/** What an empty value looks like, to be filled in. */
export function skeletonOf(root: JsonObject, schema: Json): Skeleton {
  const [first] = isObject(schema) ? branches(root, schema, undefined) : [];
  if (first === undefined) return { before: "", after: "" };
  const { type } = first;
  if (type === "array") return { before: "[", after: "]" };
  if (type === "object" || first.properties !== undefined || isListOf(type, "object"))
    return { before: "{", after: "}" };
  if (type === "string" || isTexts(first.enum) || typeof first.const === "string") return { before: '"', after: '"' };
  return { before: "", after: "" };
}

/** The type of JSON that a value is to have; null: there is more than one, or any. */
export function typeOfValue(root: JsonObject, schema: Json): string | null {
  const types = isObject(schema) ? branches(root, schema, undefined).map(({ type }) => type) : [];
  const [type] = types;
  return typeof type === "string" && types.every((each) => each === type) ? type : null;
}

/** An object with all that it must have. */
export function objectSkeleton(root: JsonObject, schema: JsonObject): Skeleton & { keys: string[] } {
  const required = keysOfSchemas([schema]).filter(({ isRequired }) => isRequired);
  let before = "{";
  let after = "";
  let isFilled = true;
  const add = (written: string) => {
    if (isFilled) before += written;
    else after += written;
  };
  required.forEach(({ name, schema: property }, place) => {
    add(`${place === 0 ? "" : ", "}${JSON.stringify(name)}: `);
    const fixed = isObject(property) ? property.const : undefined;
    if (fixed !== undefined) {
      add(JSON.stringify(fixed));
      return;
    }
    const empty = skeletonOf(root, property);
    const [opening, closing] = empty.before === "" ? ["null", ""] : [empty.before, empty.after];
    add(opening);
    if (isFilled && closing !== "") isFilled = false;
    add(closing);
  });
  add("}");
  return { before, after, keys: required.map(({ name }) => name) };
}

/** The alternatives of a schema that the value may still be; `null` is none to write. */
function branches(root: JsonObject, schema: JsonObject, value: Json | undefined, depth = 0): JsonObject[] {
  const reference = ownValue(schema, "$ref");
  if (typeof reference === "string") {
    const target = depth < DEEPEST ? referenced(root, reference) : undefined;
    return isObject(target) ? branches(root, target, value, depth + 1) : [];
  }
  const options = ownValue(schema, "anyOf") ?? ownValue(schema, "oneOf");
  if (options === undefined || !isList(options)) return schema.type === "null" ? [] : [schema];
  const all = options.flatMap((each) => (isObject(each) ? branches(root, each, value, depth + 1) : []));
  const type = ownValue(value ?? null, "type");
  const fitting = all.filter((each) => typeof type === "string" && typeOf(each) === type);
  return fitting.length > 0 ? fitting : all;
}

const DEEPEST = 20;

function referenced(root: JsonObject, reference: string): Json | undefined {
  const keys = reference.replace(/^#\/?/, "").split("/");
  return keys.reduce<Json | undefined>(
    (value, key) => (value === undefined || key === "" ? value : ownValue(value, key)),
    root,
  );
}

function below(schema: JsonObject, key: string | number, spellings: Spellings): JsonObject[] {
  if (typeof key === "number") return objectsIn(schema.items);
  const properties = propertiesOf(schema);
  const name = Object.hasOwn(properties, key) ? key : (spellings[key] ?? key);
  if (Object.hasOwn(properties, name)) return objectsIn(properties[name]);
  if (key === "config" && typeOf(schema) !== undefined) return [schema]; // of a condition: as good as beside it
  return objectsIn(schema.additionalProperties);
}

function objectsIn(schema: Json | undefined): JsonObject[] {
  return isObject(schema) ? [schema] : [];
}

function propertiesOf(schema: JsonObject): JsonObject {
  return isObject(schema.properties) ? schema.properties : {};
}

/** The one value that its key `type` has. */
function typeOf(schema: JsonObject): Json | undefined {
  return ownValue(ownValue(propertiesOf(schema), "type") ?? null, "const");
}

/** From the property itself, or from what its object says of its keys: a line `name: text` below "Attributes:". */
function aboutKey(schema: JsonObject, name: string, property: Json): string | null {
  const own = ownValue(property, "description");
  if (typeof own === "string") return plainWords(own);
  const about = typeof schema.description === "string" ? schema.description : "";
  const attributes = about.split("Attributes:\n")[1]?.split("\n\n")[0] ?? "";
  const lines = attributes.split(/\n {4}(?! )|^ {4}(?! )/);
  const line = lines.find((each) => each.startsWith(`${name}: `));
  return line === undefined ? null : plainWords(line.slice(name.length + 2));
}

function plainWords(text: string): string {
  const plain = text
    .replace(/:\w+:`([^`]*)`/g, "$1")
    .replace(/``/g, "`")
    .replace(/\bNone\b/g, "null")
    .replace(/\s+/g, " ")
    .trim();
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

function isTexts(values: Json | undefined): boolean {
  return values !== undefined && isList(values) && values.every((each) => typeof each === "string");
}

function isListOf(values: Json | undefined, value: Json): boolean {
  return values !== undefined && isList(values) && values.includes(value);
}
