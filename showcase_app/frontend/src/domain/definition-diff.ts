/** What differs between two definitions, as a list that can be read: by the id of steps and the ends of paths, not by
 * their numbers. Pure. */
import { create, type Delta } from "jsondiffpatch";
import { ownValue, stringifyJson } from "./json";
import { fromPlain, fromPlainKey, toPlain } from "./plain-json";

export type Change = {
  /** Where, from the outside in: ["steps", "repair", "config", "nearby_km"]. */
  path: readonly string[];
  kind: "added" | "removed" | "changed" | "moved";
  before?: unknown;
  after?: unknown;
};

const differ = create({ objectHash: signOf, arrays: { detectMove: true, includeValueOnMove: true } });

/** Numbers differ when their texts do: `1.0` is not `1`. */
export function changesBetween(before: unknown, after: unknown): Change[] {
  const [plainBefore, plainAfter] = [toPlain(before), toPlain(after)];
  return changes(differ.diff(plainBefore, plainAfter), plainBefore, plainAfter, []).map(exact);
}

function exact(change: Change): Change {
  const found: Change = { ...change, path: change.path.map(fromPlainKey) };
  if ("before" in found) found.before = fromPlain(found.before);
  if ("after" in found) found.after = fromPlain(found.after);
  return found;
}

function changes(delta: Delta, before: unknown, after: unknown, path: readonly string[]): Change[] {
  if (delta === undefined) return [];
  if (Array.isArray(delta)) return [ofPair(delta, path)];
  const found: Change[] = [];
  const inList = "_t" in delta;
  for (const [key, part] of Object.entries(delta)) {
    if (key === "_t") continue;
    const old = key.startsWith("_") && inList;
    const place = old ? key.slice(1) : key;
    const value = ownValue(old ? before : after, place);
    const inside = [...path, inList ? (nameOf(value) ?? `[${place}]`) : key];
    // An item of a list that changed inside: where it was before is only known by its name.
    const match = inList && !old ? counterpart(before, value, place) : ownValue(before, place);
    found.push(...changes(part as Delta, match, value, inside));
  }
  return found;
}

function ofPair(delta: readonly unknown[], path: readonly string[]): Change {
  if (delta.length === 1) return { path, kind: "added", after: delta[0] };
  if (delta.length === 2) return { path, kind: "changed", before: delta[0], after: delta[1] };
  return delta[2] === 3 ? { path, kind: "moved", after: delta[0] } : { path, kind: "removed", before: delta[0] };
}

function counterpart(before: unknown, value: unknown, place: string): unknown {
  const name = nameOf(value);
  if (name === undefined || !Array.isArray(before)) return ownValue(before, place);
  return before.find((each) => nameOf(each) === name);
}

/** What makes two items of a list the same one: their name, or all that they say. */
function signOf(item: unknown): string {
  return nameOf(item) ?? stringifyJson(item);
}

/** What tells an item of a list from the others: steps have ids, parameters and inputs names, paths two ends. */
function nameOf(item: unknown): string | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { id, name, from, to, from_step, to_step } = item as Record<string, unknown>;
  if (typeof id === "string") return id;
  if (typeof name === "string") return name;
  const [source, target] = [from ?? from_step, to ?? to_step];
  return typeof source === "string" && typeof target === "string" ? `${source} → ${target}` : undefined;
}
