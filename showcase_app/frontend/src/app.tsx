/** The application: providers, and which address shows which page. Each page is a chunk of its own. */
import { MantineProvider, Skeleton } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import {
  MutationCache,
  notifyManager,
  type Query,
  QueryCache,
  QueryClient,
  QueryClientProvider,
} from "@tanstack/react-query";
import { createBrowserRouter, type RouteObject } from "react-router";
import { RouterProvider } from "react-router/dom";
import { awayAsOf, onAway } from "./api/away";
import { ApiError } from "./api/client";
import { fetchAhead, fetchCode } from "./api/code";
import { ROOT } from "./api/root";
import { sessionQuery } from "./api/session";
import { TimesProvider } from "./components/ui/moments";
import { keptWhereSame } from "./domain/json";
import { Home } from "./shell/home";
import { NotFound } from "./shell/not-found";
import { PageFailed } from "./shell/page-failed";
import { PAGES } from "./shell/pages";
import { Shell } from "./shell/shell";
import { theme } from "./theme";

// What is being sent is known before the next click comes, so that its button is off for the second of a double click.
notifyManager.setScheduler(queueMicrotask);

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: askWhoIsThere }),
  mutationCache: new MutationCache({ onError: askWhoIsThere }),
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: true,
      staleTime: 2_000,
      gcTime: 1_800_000, // so that Back finds a list as it was, also after a long look at what it led to
      structuralSharing: keptWhereSame, // the library's own loses keys of a payload that objects inherit
      // A refused request is not sent again; one that did not reach the server is.
      retry: (failures, error) =>
        failures < 3 &&
        awayAsOf() === null &&
        (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
    },
  },
});

/** Reads the session again when it has ended: the page for signing in follows from the answer. */
function askWhoIsThere(error: Error): void {
  if (error instanceof ApiError && error.status === 401) void queries.invalidateQueries(sessionQuery);
}

/** What was shown while the server was away: what failed, and what may be old. Sockets see to the rest. */
onAway(() => {
  if (awayAsOf() !== null) return;
  const predicate = (query: Query) => query.state.status === "error" || query.isStale();
  void queries.refetchQueries({ type: "active", predicate });
});

const pages: RouteObject[] = [
  { index: true, element: <Home /> },
  { path: "pipelines", lazy: () => fetchCode(PAGES.pipelines) },
  { path: "pipelines/new", lazy: () => fetchCode(() => import("./features/pipelines/new-pipeline-page")) },
  { path: "pipelines/:pipelineId", lazy: () => fetchCode(() => import("./features/pipelines/pipeline-page")) },
  { path: "executions", lazy: () => fetchCode(PAGES.executions) },
  { path: "executions/:executionId", lazy: () => fetchCode(() => import("./features/execution/execution-page")) },
  { path: "inbox", lazy: () => fetchCode(PAGES.inbox) },
  { path: "inbox/:interactionId", lazy: () => fetchCode(() => import("./features/inbox/question-page")) },
  { path: "compare", lazy: () => fetchCode(() => import("./features/compare/compare-page")) },
  { path: "failures", lazy: () => fetchCode(PAGES.failures) },
  { path: "failures/:failureId", lazy: () => fetchCode(() => import("./features/failures/failure-page")) },
  { path: "insights", lazy: () => fetchCode(PAGES.insights) },
  { path: "system", lazy: () => fetchCode(PAGES.system) },
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
        errorElement: <PageFailed />,
        hydrateFallbackElement: <Skeleton height={36} width={220} role="status" aria-label="Loading" />,
        children: pages,
      },
    ],
  },
];

const router = createBrowserRouter(routes, { basename: ROOT === "" ? "/" : ROOT });

const isBusy = () => !router.state.initialized || router.state.navigation.state !== "idle" || queries.isFetching() > 0;
void fetchAhead(isBusy);

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" />
        <TimesProvider>
          <RouterProvider router={router} />
        </TimesProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
