/** A JSON value as the rows of a tree, its paths and what is found in it: pure. */

import { folded } from "./folded";
import { isList, isObject, type Json } from "./json";

/** Where a value lies: keys and places from the root. */
export type Path = readonly (string | number)[];

export type JsonRow = {
  /** The path as text, which is also its name among the open ones. */
  id: string;
  key: string | number | null;
  value: Json;
  depth: number;
  /** Whether there is something to open: children, or more text than fits a line. */
  opens: boolean;
  isOpen: boolean;
  /** The whole of a long text, below its first line. */
  isText: boolean;
};

const ONE_LINE = 160;

/** How a part stands in a path such as `$.steps[0].name`; keys that are no plain names stand in brackets. */
function partText(part: string | number): string {
  if (typeof part === "number") return `[${part}]`;
  return /^[A-Za-z_$][\w$]*$/.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`;
}

export function isLongText(value: Json): value is string {
  return typeof value === "string" && (value.length > ONE_LINE || value.includes("\n"));
}

export function sizeOf(value: Json): number {
  if (isList(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

function* childrenOf(value: Json): Generator<[string | number, Json]> {
  if (isList(value)) yield* value.entries();
  else if (isObject(value)) yield* Object.entries(value);
}

/** What is on screen when these are open, the root first. */
export function rowsOfJson(root: Json, open: ReadonlySet<string>): JsonRow[] {
  const rows: JsonRow[] = [];
  const add = (id: string, key: string | number | null, value: Json, depth: number) => {
    const opens = sizeOf(value) > 0 || isLongText(value);
    const isOpen = opens && open.has(id);
    rows.push({ id, key, value, depth, opens, isOpen, isText: false });
    if (!isOpen) return;
    if (isLongText(value)) {
      rows.push({ id: `${id} text`, key: null, value, depth: depth + 1, opens: false, isOpen: false, isText: true });
    }
    for (const [name, child] of childrenOf(value)) add(id + partText(name), name, child, depth + 1);
  };
  add("$", null, root, 0);
  return rows;
}

/** What is open at first: the upper levels, as long as that is no more than so many rows. */
export function firstOpen(root: Json, mostRows = 60): Set<string> {
  const open = new Set<string>();
  let level: [string, Json][] = [["$", root]];
  let rows = 1;
  while (level.length > 0) {
    const containers = level.filter(([, value]) => sizeOf(value) > 0);
    const more = containers.reduce((sum, [, value]) => sum + sizeOf(value), 0);
    if (open.size > 0 && rows + more > mostRows) break;
    rows += more;
    for (const [id] of containers) open.add(id);
    level = containers.flatMap(([id, value]) =>
      [...childrenOf(value)].map(([name, child]): [string, Json] => [id + partText(name), child]),
    );
  }
  return open;
}

/** Everything that can be opened, down from a value, at most so many. */
export function allOpen(root: Json, most = 5000): Set<string> {
  const open = new Set<string>();
  const visit = (id: string, value: Json) => {
    if (sizeOf(value) === 0 || open.size >= most) return;
    open.add(id);
    for (const [name, child] of childrenOf(value)) visit(id + partText(name), child);
  };
  visit("$", root);
  return open;
}

export type Match = { id: string /** What has to be open to see it. */; above: readonly string[] };

/** Keys and values with the text in them, in the order of the tree, at most so many. */
export function found(root: Json, text: string, most = 1000): Match[] {
  const wanted = folded(text);
  const matches: Match[] = [];
  if (wanted === "") return matches;
  const has = (value: unknown) => folded(String(value)).includes(wanted);
  const visit = (id: string, key: string | number | null, value: Json, above: readonly string[]) => {
    if (matches.length >= most) return;
    const isLeaf = !isList(value) && !isObject(value);
    if ((typeof key === "string" && has(key)) || (isLeaf && has(value))) matches.push({ id, above });
    if (isLeaf) return;
    const inside = [...above, id];
    for (const [name, child] of childrenOf(value)) visit(id + partText(name), name, child, inside);
  };
  visit("$", null, root, []);
  return matches;
}

/** A container in a few words: `12 items`, `3 keys`. */
export function sizeText(value: Json): string {
  const size = sizeOf(value);
  const [one, many] = isList(value) ? ["item", "items"] : ["key", "keys"];
  return `${size.toLocaleString("en")} ${size === 1 ? one : many}`;
}
