import { cleanup, screen, waitFor } from "@testing-library/react";
import { ReactFlowProvider } from "@xyflow/react";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { NodeRun } from "@/domain/graph";
import { createItemGrid } from "@/mocks/create-execution";
import { createNode } from "@/mocks/create-graph";
import { FakeServer, json } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { MappedStep } from "./mapped-step";

const GRID = "GET /api/executions/execution/runs/grid";
const server = new FakeServer();

beforeEach(() => server.install());
afterEach(() => {
  cleanup();
  server.remove();
});

const run: NodeRun = {
  status: "completed",
  iteration: 2,
  maxIterations: 1,
  attempt: 1,
  progress: null,
  times: null,
  fellBack: false,
  copied: false,
  row: { execution_id: "execution", sequence: 1 },
};
const sixty = createItemGrid({ items: 60, by_status: { completed: 55, failed: 2, waiting: 1 } });

function show(of: NodeRun | undefined) {
  server.on(GRID, () => json(200, sixty));
  const step = createNode({ id: "work", name: "Worker", map_over: "{steps.list.output.items}" });
  const data = { step, run: of, standing: of === undefined ? "idle" : "run", mark: undefined } as const;
  const node = (
    <ReactFlowProvider>
      <MappedStep data={data} selected={false} />
    </ReactFlowProvider>
  );
  renderAt("/", [{ path: "/", element: node }]);
}

const parts = () =>
  [...document.querySelectorAll("circle[data-status]")].map((part) => part.getAttribute("data-status"));

it("the items of a map are one node: how many, how many are done and failed, and a ring of them", async () => {
  show(run);
  await screen.findByText("55 done · 2 failed · 1 waiting");
  expect(screen.getByText("× 60").parentElement?.textContent).toBe("Worker × 60");
  expect(parts()).toEqual(["completed", "failed", "waiting"]);
  screen.getByText("Worker, Completed, 60 items: 55 completed, 2 failed, 1 waiting, 2 not begun");
  expect(new URL(server.to(GRID)[0]?.url ?? "").search).toBe("?step_id=work&iteration=2");
});

it("in a definition it says for each of which list it runs", () => {
  show(undefined);
  screen.getByText("Worker, for each of {steps.list.output.items}");
  expect(server.to(GRID)).toEqual([]);
  expect(parts()).toEqual([]);
});

it("of an execution that is not known here nothing is asked", async () => {
  show({ ...run, row: null });
  screen.getByText(/^Worker, Completed/);
  await waitFor(() => expect(server.to(GRID)).toEqual([]));
});
