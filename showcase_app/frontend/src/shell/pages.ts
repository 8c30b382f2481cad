/** The code of the pages that the navigation leads to: fetched when one goes there, or seems about to. */
export const PAGES = {
  pipelines: () => import("@/features/pipelines/pipelines-page"),
  executions: () => import("@/features/executions/executions-page"),
  inbox: () => import("@/features/inbox/inbox-page"),
  failures: () => import("@/features/failures/failures-page"),
  insights: () => import("@/features/metrics/metrics-page"), // /metrics is what Prometheus reads
  system: () => import("@/features/system/system-page"),
};
