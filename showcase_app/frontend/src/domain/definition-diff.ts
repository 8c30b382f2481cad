/** What differs between two definitions, as a list that can be read: by the id of steps and the ends of paths, not by
 * their numbers. Pure. */
import { create, type Delta } from "jsondiffpatch";

export type Change = {
  /** Where, from the outside in: ["steps", "repair", "config", "nearby_km"]. */
  path: readonly string[];
  kind: "added" | "removed" | "changed" | "moved";
  before?: unknown;
  after?: unknown;
};

const differ = create({ objectHash: nameOf, arrays: { detectMove: true, includeValueOnMove: true } });

export function changesBetween(before: unknown, after: unknown): Change[] {
  return changes(differ.diff(before, after), before, after, []);
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
    const value = child(old ? before : after, place);
    const inside = [...path, inList ? (nameOf(value) ?? `[${place}]`) : key];
    // An item of a list that changed inside: where it was before is only known by its name.
    const match = inList && !old ? counterpart(before, value, place) : child(before, place);
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
  if (name === undefined || !Array.isArray(before)) return child(before, place);
  return before.find((each) => nameOf(each) === name);
}

function child(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
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
