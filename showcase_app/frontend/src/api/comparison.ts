/** Two executions beside each other: the server's answer, as it is. */
import { queryOptions } from "@tanstack/react-query";
import { answered, api } from "./client";

/** `b` null: the last good one before `a`. */
export function comparisonQuery(a: string, b: string | null) {
  return queryOptions({
    queryKey: ["comparison", a, b],
    queryFn: ({ signal }) =>
      answered(api.GET("/api/executions/compare", { params: { query: { a, b: b ?? undefined } }, signal })),
    staleTime: 30_000,
  });
}
