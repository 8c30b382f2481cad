/** Metrics: what the rows say about a window of time. Read again while somebody looks. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answered, api } from "./client";
import type { Window } from "./schema.gen";

export type MetricsFilters = { window: Window; pipeline_id?: string };

export const metricsKeys = {
  all: ["metrics"] as const,
  report: (filters: MetricsFilters) => ["metrics", "report", filters] as const,
  history: (filters: MetricsFilters) => ["metrics", "history", filters] as const,
  usage: (filters: MetricsFilters) => ["metrics", "usage", filters] as const,
};

export function reportQuery(filters: MetricsFilters) {
  return queryOptions({
    queryKey: metricsKeys.report(filters),
    queryFn: ({ signal }) => answered(api.GET("/api/metrics/report", { params: { query: filters }, signal })),
    placeholderData: keepPreviousData,
    retry: false, // what takes too long once does so again
  });
}

export function historyQuery(filters: MetricsFilters) {
  return queryOptions({
    queryKey: metricsKeys.history(filters),
    queryFn: ({ signal }) => answered(api.GET("/api/metrics/history", { params: { query: filters }, signal })),
    placeholderData: keepPreviousData,
    retry: false, // what takes too long once does so again
  });
}

export function windowUsageQuery(filters: MetricsFilters) {
  return queryOptions({
    queryKey: metricsKeys.usage(filters),
    queryFn: ({ signal }) => answered(api.GET("/api/metrics/usage", { params: { query: filters }, signal })),
    placeholderData: keepPreviousData,
    retry: false, // what takes too long once does so again
  });
}
