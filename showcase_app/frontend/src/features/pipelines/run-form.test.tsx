import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api } from "@/api/client";
import type { PipelineDetail, Problem } from "@/api/schema.gen";
import { createExecutionRow } from "@/mocks/create-execution";
import { createPipeline } from "@/mocks/create-pipeline";
import { RunForm } from "./run-form";

/** The requests to the server, and its answers: the network's end of the one client. */
const server = vi.fn<(request: Request) => Promise<Response>>();
const network = {
  onRequest: ({ request }: { request: Request }) =>
    request.url.endsWith("/api/session")
      ? answer(200, { actor: "local", role: "operator", keys_required: false, signed_in: true })
      : server(request),
};

beforeEach(() => api.use(network));

afterEach(() => {
  cleanup();
  api.eject(network);
  server.mockReset();
});

function answer(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

function refusal(detail: string, errors: Problem["errors"]): Response {
  return answer(422, { type: "about:blank", title: "Refused", status: 422, detail, errors });
}

function show(pipeline: PipelineDetail): void {
  const router = createMemoryRouter([
    { path: "/", element: <RunForm pipeline={pipeline} /> },
    { path: "/executions/:id", element: <p>its page</p> },
  ]);
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

const run = () => fireEvent.click(screen.getByRole("button", { name: "Run" }));

/** The description of a field, as a screen reader reads it. */
function described(label: RegExp): string {
  const ids = screen.getByLabelText(label).getAttribute("aria-describedby")?.split(" ") ?? [];
  return ids.map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
}

const shop = createPipeline({
  input_schema: {
    type: "object",
    properties: {
      sku: { type: "string", title: "Article" },
      order: { type: "object", properties: { quantity: { type: "integer", title: "Quantity", maximum: 10 } } },
    },
    required: ["sku"],
  },
  default_input: { sku: "kettle", order: { quantity: 2 } },
});

it("what the server refuses is said at the field, until it is started", async () => {
  server.mockResolvedValueOnce(
    refusal("The input is wrong.", [
      { location: "body", field: "input_data.sku", detail: "There is no kettle." },
      { location: "body", field: "input_data.order.quantity", detail: "At most one." },
    ]),
  );
  server.mockResolvedValueOnce(answer(202, createExecutionRow({ execution_id: "begun" })));
  show(shop);
  run();
  await screen.findByText("There is no kettle.");
  expect(described(/Article/)).toContain("There is no kettle.");
  expect(described(/Quantity/)).toContain("At most one.");
  await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(/Article/)));
  expect(screen.queryByRole("alert")).toBeNull();

  fireEvent.change(screen.getByLabelText(/Article/), { target: { value: "teapot" } });
  run();
  await screen.findByText("its page");
  const sent = await Promise.all(server.mock.calls.map(([request]) => request.clone().json()));
  expect(sent.map(({ input_data }) => input_data.sku)).toEqual(["kettle", "teapot"]);
});

it("what is refused as a whole is said above the button", async () => {
  server.mockResolvedValueOnce(
    answer(409, { type: "about:blank", title: "Archived", status: 409, detail: "It is archived." }),
  );
  show(shop);
  run();
  expect((await screen.findByRole("alert")).textContent).toContain("It is archived.");
});

it("what the schema forbids is said at the field and not sent", async () => {
  show(createPipeline({ ...shop, default_input: { sku: "kettle", order: { quantity: 99 } } }));
  run();
  await screen.findByText("At most 10.");
  expect(server).not.toHaveBeenCalled();
});

it("what is wrong with a list as a whole is said below it", async () => {
  const sizes = { type: "array", title: "Sizes", items: { type: "integer" }, minItems: 2 };
  show(createPipeline({ input_schema: { type: "object", properties: { sizes } }, default_input: { sizes: [1] } }));
  run();
  expect(await screen.findByText("At least 2 entries.")).toBeTruthy();
  expect(server).not.toHaveBeenCalled();
});

it("the first field has the focus, and one without a value is empty", async () => {
  const warnings = vi.spyOn(console, "error");
  show(createPipeline({ ...shop, default_input: {} }));
  await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(/Article/)));
  fireEvent.change(screen.getByLabelText(/Article/), { target: { value: "pot" } });
  expect(warnings).not.toHaveBeenCalled();
  warnings.mockRestore();
});
