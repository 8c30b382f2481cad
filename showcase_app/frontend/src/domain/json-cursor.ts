/** Where in a JSON text somebody writes, and what the text holds so far, also while it is no JSON yet. Pure. */
import { jsonLanguage } from "@codemirror/lang-json";
import { type Json, parseJson } from "./json";
import { itemsOf, nameOf, type Place, type SyntaxNode } from "./json-place";

export type Keys = readonly (string | number)[];

export type JsonCursor = {
  kind: "key" | "value";
  /** Of a key, to the object that it is of; of a value, to itself. */
  path: Keys;
  /** What is being written, with its quotes. */
  place: Place;
  /** What is written of it before the cursor, without quotes. */
  written: string;
  isQuoted: boolean;
};

const VALUES = ["Object", "Array", "String", "Number", "True", "False", "Null"];
const WORD = /[\w.$-]*$/;

/** Null: neither a key nor a value is written there. */
export function cursorAt(text: string, position: number): JsonCursor | null {
  const top = jsonLanguage.parser.parse(text).topNode;
  const node = top.resolveInner(position, -1);
  if ((node.name === "PropertyName" || node.name === "String") && position < node.to && position > node.from) {
    const place = { from: node.from, to: node.to };
    const written = text.slice(node.from + 1, position);
    const isKey = node.name === "PropertyName";
    const path = isKey ? pathTo(text, node.parent?.parent ?? null) : pathTo(text, node);
    return { kind: isKey ? "key" : "value", path, place, written, isQuoted: true };
  }
  const written = WORD.exec(text.slice(0, position))?.[0] ?? "";
  const place = { from: position - written.length, to: position };
  const before = text.slice(0, place.from).trimEnd();
  const around = containerOf(top.resolveInner(before.length, -1));
  if (around === null) return null;
  const rest = { place, written, isQuoted: false };
  const last = before.at(-1);
  if (last === ":") {
    const property = propertyAt(around, before.length);
    const path = property === null ? null : pathTo(text, property);
    return path === null ? null : { kind: "value", path, ...rest };
  }
  const opens = around.name === "Object" ? "{" : "[";
  if (last !== "," && last !== opens) return null;
  const path = pathTo(text, around);
  if (around.name === "Object") return { kind: "key", path, ...rest };
  const index = itemsOf(around).filter(({ to }) => to <= before.length).length;
  return { kind: "value", path: [...path, index], ...rest };
}

/** The keys that lead to what is at a position. */
export function pathAt(text: string, position: number): Keys {
  return pathTo(text, jsonLanguage.parser.parse(text).topNode.resolveInner(position, 1));
}

/** What the text holds, as far as it can be read; undefined: nothing can. */
export function looseJson(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    const value = jsonLanguage.parser.parse(text).topNode.firstChild;
    return value === null ? undefined : readable(text, value);
  }
}

function readable(text: string, node: SyntaxNode): Json | undefined {
  if (node.name === "Array") return itemsOf(node).map((item) => readable(text, item) ?? null);
  if (node.name !== "Object") {
    try {
      return parseJson(text.slice(node.from, node.to));
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(
    node.getChildren("Property").flatMap((property) => {
      const [name, value] = [nameOf(text, property), property.lastChild];
      if (name === null || value === null || !VALUES.includes(value.name)) return [];
      const read = readable(text, value);
      return read === undefined ? [] : [[name, read] as const];
    }),
  );
}

function containerOf(node: SyntaxNode | null): SyntaxNode | null {
  for (let each = node; each !== null; each = each.parent) {
    if (each.name === "Object" || each.name === "Array") return each;
  }
  return null;
}

/** The property whose value would come at the position. */
function propertyAt(object: SyntaxNode, position: number): SyntaxNode | null {
  const before = object.getChildren("Property").filter(({ from }) => from < position);
  return before.at(-1) ?? null;
}

function pathTo(text: string, node: SyntaxNode | null): Keys {
  const keys: (string | number)[] = [];
  for (let each = node; each !== null; each = each.parent) {
    const parent = each.parent;
    if (each.name === "Property") keys.unshift(nameOf(text, each) ?? "");
    else if (parent?.name === "Array") {
      const { from } = each;
      keys.unshift(itemsOf(parent).filter((item) => item.to <= from).length);
    }
  }
  return keys;
}
