/** The application: providers, and which address shows which page. Each page is a chunk of its own. */
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createBrowserRouter, Navigate, type RouteObject } from "react-router";
import { RouterProvider } from "react-router/dom";
import { ApiError } from "./api/client";
import { NotFound } from "./shell/not-found";
import { PageFailed } from "./shell/page-failed";
import { Shell } from "./shell/shell";
import { theme } from "./theme";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: true,
      staleTime: 2_000,
      // What the server refused is not asked again; what could not be reached is.
      retry: (failures, error) =>
        failures < 3 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
    },
  },
});

const routes: RouteObject[] = [
  {
    path: "/",
    element: <Shell />,
    errorElement: <PageFailed />,
    children: [
      { index: true, element: <Navigate to="/pipelines" replace /> },
      { path: "pipelines", lazy: () => import("./features/pipelines/pipelines-page") },
      { path: "pipelines/new", lazy: () => import("./features/pipelines/new-pipeline-page") },
      { path: "pipelines/:pipelineId", lazy: () => import("./features/pipelines/pipeline-page") },
      { path: "executions", lazy: () => import("./features/executions/executions-page") },
      { path: "executions/:executionId", lazy: () => import("./features/execution/execution-page") },
      // /metrics is what Prometheus reads.
      { path: "insights", lazy: () => import("./features/metrics/metrics-page") },
      { path: "system", lazy: () => import("./features/system/system-page") },
      { path: "*", element: <NotFound /> },
    ],
  },
];

const router = createBrowserRouter(routes);

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
