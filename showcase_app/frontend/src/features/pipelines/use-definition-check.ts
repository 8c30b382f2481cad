/** The problems of a definition while it is written: at once whether it is JSON, shortly after those the server finds. */
import { useDebouncedValue } from "@mantine/hooks";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Definition, validateDefinition } from "@/api/pipelines";
import type { ValidationOut } from "@/api/schema.gen";
import { parseJson } from "@/domain/json";
import { placeOf, syntaxErrorOf } from "@/domain/json-place";
import type { EditorProblem } from "./json-editor";

export type DefinitionCheck = {
  problems: readonly EditorProblem[];
  /** The definition, once all of the text was checked and nothing is wrong with it. */
  definition: Definition | null;
  checking: boolean;
  /** The check itself could not be made. */
  failed: Error | null;
};

/** Why what is written cannot be stored yet; null when it can. */
export function whyNotStored(check: DefinitionCheck): string | null {
  if (check.checking) return "It is being checked.";
  if (check.failed !== null) return "It could not be checked.";
  return check.definition === null ? "It has problems; see the list." : null;
}

const PAUSE_MS = 300;
const NONE: readonly EditorProblem[] = [];

/** `pipelineId`: of which it is to be a version; null: it is a new pipeline. */
export function useDefinitionCheck(text: string, pipelineId: string | null): DefinitionCheck {
  const [settled] = useDebouncedValue(text, PAUSE_MS);
  const syntax = useMemo(() => syntaxErrorOf(text), [text]);
  const { data, error } = useQuery(checkQuery(settled, pipelineId));
  return useMemo(() => {
    if (syntax !== null)
      return { problems: [{ ...syntax, severity: "error" }], definition: null, checking: false, failed: null };
    if (settled !== text || data === undefined) {
      return { problems: NONE, definition: null, checking: error === null, failed: error };
    }
    const definition = data.valid ? (parseJson(text) as Definition) : null;
    return { problems: placed(text, data), definition, checking: false, failed: null };
  }, [syntax, settled, text, data, error]);
}

function checkQuery(text: string, pipelineId: string | null) {
  return queryOptions({
    queryKey: ["definition-check", pipelineId, text],
    queryFn: ({ signal }) => validateDefinition(parseJson(text), pipelineId, signal),
    enabled: syntaxErrorOf(text) === null,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
}

function placed(text: string, { problems, warnings }: ValidationOut): EditorProblem[] {
  const at =
    (severity: EditorProblem["severity"]) =>
    ({ path, detail }: { path: string; detail: string }) => ({
      place: placeOf(text, path),
      detail: path === "$" ? detail : `${path.replace(/^\$\.?/, "")}: ${detail}`,
      severity,
    });
  return [...problems.map(at("error")), ...warnings.map(at("warning"))];
}
