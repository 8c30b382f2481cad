/** How a reader wants the list of executions: columns, density, and views by name. Kept as text in the browser. Pure. */

export const COLUMNS = [
  { id: "started", label: "Started" },
  { id: "duration", label: "Duration" },
  { id: "progress", label: "Steps" },
  { id: "trigger", label: "Trigger" },
  { id: "worker", label: "Worker" },
  { id: "alias", label: "Caller's id" },
  { id: "tokens", label: "Tokens" },
  { id: "cost", label: "Cost" },
  { id: "error", label: "Error" },
] as const;

export type ColumnId = (typeof COLUMNS)[number]["id"];

/** `columns` null: those that the width has room for. What they are of, and how they stand, is always shown. */
export type ListLook = { columns: ColumnId[] | null; isDense: boolean };

/** What a list is narrowed to, by a name: the words of its address. */
export type SavedView = { name: string; search: string };

export const PLAIN_LOOK: ListLook = { columns: null, isDense: false };
export const MOST_VIEWS = 50;
export const MOST_NAME = 60;

const FEW: readonly ColumnId[] = ["started", "duration", "progress", "error"];
const ROOMY: readonly ColumnId[] = ["started", "duration", "progress", "trigger", "error"];

/** `hasCosts`: what is listed has used models. */
export function shownColumns({ columns }: ListLook, isRoomy: boolean, hasCosts = false): readonly ColumnId[] {
  const usual = isRoomy ? ROOMY : FEW;
  return columns ?? (hasCosts ? withColumn(usual, "cost", true) : usual);
}

/** With a column more, or without it; in the order of all columns. */
export function withColumn(shown: readonly ColumnId[], id: ColumnId, isShown: boolean): ColumnId[] {
  return COLUMNS.map((column) => column.id).filter((each) => (each === id ? isShown : shown.includes(each)));
}

/** What was kept; a plain look where that is something else. */
export function readLook(text: string | undefined): ListLook {
  const kept = parsed(text);
  if (!isRecord(kept)) return PLAIN_LOOK;
  const { columns } = kept;
  const known = Array.isArray(columns) ? COLUMNS.map(({ id }) => id).filter((id) => columns.includes(id)) : null;
  return { columns: known, isDense: kept.isDense === true };
}

/** The views that were kept; what is none is left out. */
export function readViews(text: string | undefined): SavedView[] {
  const kept = parsed(text);
  if (!Array.isArray(kept)) return [];
  return kept
    .flatMap((each: unknown) =>
      isRecord(each) && typeof each.name === "string" && typeof each.search === "string"
        ? [{ name: each.name.slice(0, MOST_NAME), search: each.search }]
        : [],
    )
    .slice(0, MOST_VIEWS);
}

/** With a view under its name, in the place of the one that had it; in the order of their names. */
export function withView(views: readonly SavedView[], view: SavedView): SavedView[] {
  const others = views.filter(({ name }) => name !== view.name);
  return [...others, view].sort((a, b) => a.name.localeCompare(b.name)).slice(0, MOST_VIEWS);
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
