/** Pipelines by name, for choosing one: a few that match, and the one that is chosen. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answered, api } from "./client";

export type PipelineName = { id: string; name: string };

export function pipelineNamesQuery(q: string) {
  return queryOptions({
    queryKey: ["pipelines", "names", q] as const,
    queryFn: async ({ signal }): Promise<PipelineName[]> => {
      const query = { q: q === "" ? undefined : q, archived: true, limit: 50 };
      const page = await answered(api.GET("/api/pipelines", { params: { query }, signal }));
      return page.items.map(({ id, name }) => ({ id, name }));
    },
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  });
}

export function pipelineNameQuery(id: string) {
  return queryOptions({
    queryKey: ["pipelines", "name", id] as const,
    queryFn: async ({ signal }): Promise<PipelineName> => {
      const path = { pipeline_id: id };
      const { name } = await answered(api.GET("/api/pipelines/{pipeline_id}", { params: { path }, signal }));
      return { id, name };
    },
    staleTime: 30_000,
  });
}
