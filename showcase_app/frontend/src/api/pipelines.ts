/** Pipelines: questions and commands. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answered, api } from "./client";
import type { NewVersionRequest, RunRequest } from "./schema.gen";

export type PipelineFilters = { q?: string; archived?: boolean };
export type Definition = NewVersionRequest["definition"];
export type RunInput = NonNullable<RunRequest["input_data"]>;

export const pipelineKeys = {
  all: ["pipelines"] as const,
  list: (filters: PipelineFilters) => ["pipelines", "list", filters] as const,
  detail: (id: string, version: number | null) => ["pipelines", "detail", id, version] as const,
  versions: (id: string) => ["pipelines", "versions", id] as const,
  /** Beside the others: a graph of a version never changes, so what makes those stale is nothing to it. */
  graph: (id: string, version: number) => ["pipeline-graph", id, version] as const,
};

export function pipelinesQuery(filters: PipelineFilters) {
  return infiniteQueryOptions({
    queryKey: pipelineKeys.list(filters),
    queryFn: ({ signal, pageParam }) =>
      answered(
        api.GET("/api/pipelines", {
          params: { query: { ...filters, limit: 50, cursor: pageParam ?? undefined } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

/** With the definition of a version; null: the current one. */
export function pipelineQuery(pipelineId: string, version: number | null) {
  return queryOptions({
    queryKey: pipelineKeys.detail(pipelineId, version),
    queryFn: ({ signal }) =>
      answered(
        api.GET("/api/pipelines/{pipeline_id}", {
          params: { path: { pipeline_id: pipelineId }, query: { version: version ?? undefined } },
          signal,
        }),
      ),
  });
}

export function versionsQuery(pipelineId: string) {
  return infiniteQueryOptions({
    queryKey: pipelineKeys.versions(pipelineId),
    queryFn: ({ signal, pageParam }) =>
      answered(
        api.GET("/api/pipelines/{pipeline_id}/versions", {
          params: { path: { pipeline_id: pipelineId }, query: { limit: 50, cursor: pageParam ?? undefined } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
}

export function graphQuery(pipelineId: string, version: number) {
  return queryOptions({
    queryKey: pipelineKeys.graph(pipelineId, version),
    queryFn: ({ signal }) =>
      answered(
        api.GET("/api/pipelines/{pipeline_id}/graph", {
          params: { path: { pipeline_id: pipelineId }, query: { version } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function createPipeline(definition: Definition, idempotencyKey: string) {
  const params = { header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/pipelines", { params, body: { definition } }));
}

/** Stored beside the current version when `baseVersion` is that no longer. */
export function storeVersion(
  pipelineId: string,
  definition: Definition,
  baseVersion: number | null,
  note: string | null,
  idempotencyKey: string,
) {
  return answered(
    api.PUT("/api/pipelines/{pipeline_id}", {
      params: { path: { pipeline_id: pipelineId }, header: { "Idempotency-Key": idempotencyKey } },
      body: { definition, base_version: baseVersion, if_stale: "beside", note },
    }),
  );
}

/** Refused with 409 when `baseVersion` is no longer the current one. */
export function makeCurrent(pipelineId: string, version: number, baseVersion: number | null, idempotencyKey: string) {
  return answered(
    api.POST("/api/pipelines/{pipeline_id}/current", {
      params: { path: { pipeline_id: pipelineId }, header: { "Idempotency-Key": idempotencyKey } },
      body: { version, base_version: baseVersion },
    }),
  );
}

/** It keeps its history; a new version brings it back. */
export function archivePipeline(pipelineId: string, idempotencyKey: string) {
  const params = { path: { pipeline_id: pipelineId }, header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.DELETE("/api/pipelines/{pipeline_id}", { params }));
}

/** The same key starts nothing twice, however often the request is sent. */
export function startExecution(pipelineId: string, body: RunRequest, idempotencyKey: string) {
  return answered(
    api.POST("/api/pipelines/{pipeline_id}/executions", {
      params: { path: { pipeline_id: pipelineId }, header: { "Idempotency-Key": idempotencyKey } },
      body,
    }),
  );
}
