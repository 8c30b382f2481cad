/** The problems of a definition while it is written: at once whether it is JSON, shortly after those the server finds. */
import { useDebouncedValue } from "@mantine/hooks";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { validateDefinition } from "@/api/definitions";
import type { Definition } from "@/api/pipelines";
import type { GraphOut, ValidationOut } from "@/api/schema.gen";
import { useWhyOnlyLooking } from "@/api/session";
import { type JsonObject, parseJson } from "@/domain/json";
import { placeOf, syntaxErrorOf } from "@/domain/json-place";
import type { EditorProblem } from "./json-editor";

export type DefinitionCheck = {
  problems: readonly EditorProblem[];
  /** The definition, once all of the text was checked and nothing is wrong with it. */
  definition: Definition | null;
  checking: boolean;
  /** The check itself could not be made. */
  failed: Error | null;
  /** The newest that could be drawn; null: none could yet. */
  graph: GraphOut | null;
  /** Whether that is of an earlier text, because this one cannot be drawn. */
  isGraphEarlier: boolean;
  /** What its input is to be, once nothing is wrong with it. */
  input: DefinitionInput | null;
};

/** The JSON Schema of the input, and the defaults of the parameters. */
export type DefinitionInput = { schema: JsonObject; defaults: JsonObject };

/** Why what is written cannot be stored yet; null when it can. */
export function whyNotStored(check: DefinitionCheck): string | null {
  if (check.checking) return "It is being checked.";
  if (check.failed !== null) return "It could not be checked.";
  return check.definition === null ? "It has problems; see the list." : null;
}

const PAUSE_MS = 300;
const NOTHING: Omit<DefinitionCheck, "graph" | "isGraphEarlier"> = {
  problems: [],
  definition: null,
  checking: false,
  failed: null,
  input: null,
};

/** `pipelineId`: of which it is to be a version; null: it is a new pipeline. Only who may change something can check. */
export function useDefinitionCheck(text: string, pipelineId: string | null): DefinitionCheck {
  const [settled] = useDebouncedValue(text, PAUSE_MS);
  const mayCheck = useWhyOnlyLooking() === null;
  const syntax = useMemo(() => syntaxErrorOf(text), [text]);
  const { data, error } = useQuery({ ...checkQuery(settled, pipelineId), ...(mayCheck ? {} : { enabled: false }) });
  const [graph, setGraph] = useState<GraphOut | null>(null);
  if (data !== undefined && data.graph !== null && data.graph !== graph) setGraph(data.graph);
  const isGraphEarlier = syntax !== null || data?.graph === null;
  return useMemo(() => {
    const drawn = { graph, isGraphEarlier };
    if (syntax !== null) return { ...NOTHING, ...drawn, problems: [{ ...syntax, severity: "error" }] };
    if (settled !== text || data === undefined) {
      return { ...NOTHING, ...drawn, checking: error === null, failed: error };
    }
    const problems = placed(text, data);
    if (!data.valid) return { ...NOTHING, ...drawn, problems };
    const input = { schema: (data.input_schema ?? {}) as JsonObject, defaults: data.default_input as JsonObject };
    return { ...NOTHING, ...drawn, problems, definition: parseJson(text) as Definition, input };
  }, [syntax, settled, text, data, error, graph, isGraphEarlier]);
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
