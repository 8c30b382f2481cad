/** The application: providers, and which address shows which page. Each page is a chunk of its own. */
import { MantineProvider, Skeleton } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createBrowserRouter, type RouteObject } from "react-router";
import { RouterProvider } from "react-router/dom";
import { ApiError } from "./api/client";
import { sessionQuery } from "./api/session";
import { keptWhereSame } from "./domain/json";
import { Home } from "./shell/home";
import { NotFound } from "./shell/not-found";
import { PageFailed } from "./shell/page-failed";
import { PAGES } from "./shell/pages";
import { Shell } from "./shell/shell";
import { theme } from "./theme";

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: askWhoIsThere }),
  mutationCache: new MutationCache({ onError: askWhoIsThere }),
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: true,
      staleTime: 2_000,
      structuralSharing: keptWhereSame, // the library's own loses keys of a payload that objects inherit
      // A refused request is not sent again; one that did not reach the server is.
      retry: (failures, error) =>
        failures < 3 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
    },
  },
});

/** Reads the session again when it has ended: the page for signing in follows from the answer. */
function askWhoIsThere(error: Error): void {
  if (error instanceof ApiError && error.status === 401) void queries.invalidateQueries(sessionQuery);
}

const pages: RouteObject[] = [
  { index: true, element: <Home /> },
  { path: "pipelines", lazy: PAGES.pipelines },
  { path: "pipelines/new", lazy: () => import("./features/pipelines/new-pipeline-page") },
  { path: "pipelines/:pipelineId", lazy: () => import("./features/pipelines/pipeline-page") },
  { path: "executions", lazy: PAGES.executions },
  { path: "executions/:executionId", lazy: () => import("./features/execution/execution-page") },
  { path: "inbox", lazy: PAGES.inbox },
  { path: "inbox/:interactionId", lazy: () => import("./features/inbox/question-page") },
  { path: "compare", lazy: () => import("./features/compare/compare-page") },
  { path: "failures", lazy: PAGES.failures },
  { path: "failures/:failureId", lazy: () => import("./features/failures/failure-page") },
  { path: "insights", lazy: PAGES.insights },
  { path: "system", lazy: PAGES.system },
  { path: "*", element: <NotFound /> },
];

const routes: RouteObject[] = [
  {
    path: "/",
    element: <Shell />,
    errorElement: <PageFailed />,
    // Until the first page has come, the shell is there without one.
    children: [
      {
        hydrateFallbackElement: <Skeleton height={36} width={220} role="status" aria-label="Loading" />,
        children: pages,
      },
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
