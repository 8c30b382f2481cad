/** A part of the app at an address, with everything around it that it needs. */
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import { createMemoryRouter, type RouteObject, RouterProvider } from "react-router";
import { TimesProvider } from "@/components/ui/moments";

export function renderAt(address: string, routes: RouteObject[]) {
  const router = createMemoryRouter(routes, { initialEntries: [address] });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={client}>
        <TimesProvider>
          <RouterProvider router={router} />
        </TimesProvider>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { router, client };
}
