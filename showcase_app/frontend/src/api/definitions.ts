/** Definitions that are being written: what they may say, what is wrong with one, and trying it. */
import { queryOptions } from "@tanstack/react-query";
import { answered, api } from "./client";
import type { RunOnceRequest } from "./schema.gen";

/** The JSON Schema of the format. */
export const formatQuery = queryOptions({
  queryKey: ["definition-format"] as const,
  queryFn: ({ signal }) => answered(api.GET("/api/definitions/schema", { signal })),
  staleTime: Number.POSITIVE_INFINITY,
});

/** The code that a definition may name; `pipelineId`: of which it is a version, null: of a new pipeline. */
export function offeredCodeQuery(pipelineId: string | null) {
  return queryOptions({
    queryKey: ["definition-code", pipelineId] as const,
    queryFn: ({ signal }) =>
      answered(api.GET("/api/definitions/code", { params: { query: { pipeline_id: pipelineId } }, signal })),
    staleTime: 30_000,
  });
}

/** Stores it as a version that is not made current, and starts one execution of that. */
export function runOnce(pipelineId: string, body: RunOnceRequest, idempotencyKey: string) {
  return answered(
    api.POST("/api/pipelines/{pipeline_id}/run-once", {
      params: { path: { pipeline_id: pipelineId }, header: { "Idempotency-Key": idempotencyKey } },
      body,
    }),
  );
}

/** Everything that would keep a definition from being stored, as a new pipeline or as a version of one. */
export function validateDefinition(definition: unknown, pipelineId: string | null, signal: AbortSignal) {
  return answered(api.POST("/api/definitions/validate", { body: { definition, pipeline_id: pipelineId }, signal }));
}
