/** Pipelines by name, for choosing one: a few that match, and the one that is chosen. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answered, api } from "./client";

export type PipelineName = { id: string; name: string; archived: boolean };

/** Those in use, then the archived ones: executions have either. */
export function pipelineNamesQuery(q: string) {
  return queryOptions({
    queryKey: ["pipelines", "names", q] as const,
    queryFn: async ({ signal }): Promise<PipelineName[]> => {
      const read = (archived: boolean) => {
        const query = { q: q === "" ? undefined : q, archived, limit: 50 };
        return answered(api.GET("/api/pipelines", { params: { query }, signal }));
      };
      const pages = await Promise.all([read(false), read(true)]);
      return pages.flatMap((page) => page.items.map(({ id, name, is_active }) => ({ id, name, archived: !is_active })));
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
      const found = await answered(api.GET("/api/pipelines/{pipeline_id}", { params: { path }, signal }));
      return { id, name: found.name, archived: !found.is_active };
    },
    staleTime: 30_000,
  });
}
