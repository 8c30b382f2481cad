/** What a server refused of a definition, at its place in the text. */
import { ApiError } from "@/api/client";
import { placeOf } from "@/domain/json-place";
import type { EditorProblem } from "./json-editor";

const INSIDE = /^(body\.)?definition\.?/;

export function refusedPlaces(error: Error | null, text: string): EditorProblem[] {
  if (!(error instanceof ApiError)) return [];
  return Object.entries(error.fields).map(([field, detail]) => {
    const path = field.replace(INSIDE, "");
    return { place: placeOf(text, path), detail: path === "" ? detail : `${path}: ${detail}`, severity: "error" };
  });
}
