/** Where in a JSON text a path leads, so that a problem can be shown at its place. Pure. */
import { jsonLanguage } from "@codemirror/lang-json";
import { parseJson } from "./json";

export type Place = { from: number; to: number };

/** `$.steps[0].type` and `steps[0]["a b"]` as keys. */
export function keysOf(path: string): (string | number)[] {
  const keys: (string | number)[] = [];
  for (const [, quoted, index, name] of path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)) {
    if (quoted !== undefined) keys.push(JSON.parse(`"${quoted}"`) as string);
    else if (index !== undefined) keys.push(Number(index));
    else if (name !== undefined && !(name === "$" && keys.length === 0)) keys.push(name);
  }
  return keys;
}

/** The value at the path, or what is nearest to it: a missing key is shown at the object that misses it. */
export function placeOf(text: string, path: string): Place {
  let value = jsonLanguage.parser.parse(text).topNode.firstChild;
  let nearest: Place = { from: 0, to: 0 };
  for (const key of [null, ...keysOf(path)]) {
    if (key !== null) value = value === null ? null : inside(text, value, key);
    if (value === null) return nearest;
    const isOpen = value.name === "Object" || value.name === "Array"; // the bracket says enough
    nearest = { from: value.from, to: isOpen ? value.from + 1 : value.to };
  }
  return nearest;
}

/** Where a text stops being JSON; null: it is. */
export function syntaxErrorOf(text: string): { place: Place; detail: string } | null {
  try {
    parseJson(text);
    return null;
  } catch (error) {
    let place: Place | null = null;
    jsonLanguage.parser.parse(text).iterate({
      enter: ({ type, from, to }) => {
        if (type.isError) place ??= { from, to };
        return place === null;
      },
    });
    const detail = text.trim() === "" ? "There is nothing here yet." : `Not JSON: ${(error as Error).message}`;
    return { place: place ?? { from: text.length, to: text.length }, detail };
  }
}

export type SyntaxNode = NonNullable<ReturnType<typeof jsonLanguage.parser.parse>["topNode"]["firstChild"]>;

function inside(text: string, value: SyntaxNode, key: string | number): SyntaxNode | null {
  if (value.name === "Array") {
    return itemsOf(value)[Number(key)] ?? null;
  }
  const property = value.getChildren("Property").find((each) => {
    return nameOf(text, each) === String(key);
  });
  return property?.lastChild ?? null;
}

/** The values of a list, as far as they can be read. */
export function itemsOf(list: SyntaxNode): SyntaxNode[] {
  return children(list).filter((child) => !["[", "]", ",", "⚠"].includes(child.name));
}

/** The key of a property. */
export function nameOf(text: string, property: SyntaxNode): string | null {
  const name = property.getChild("PropertyName");
  return name === null ? null : unquoted(text.slice(name.from, name.to));
}

function children(value: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = value.firstChild; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

/** What a text of JSON says; itself where it is none. */
export function unquoted(name: string): string {
  try {
    return JSON.parse(name) as string;
  } catch {
    return name;
  }
}
