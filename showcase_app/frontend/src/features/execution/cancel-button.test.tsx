import { cleanup, fireEvent, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ExecutionDetail } from "@/api/schema.gen";
import { createExecution } from "@/mocks/create-execution";
import { createPipeline } from "@/mocks/create-pipeline";
import { FakeServer, json } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { CancelButton } from "./cancel-button";

const CANCEL = "POST /api/executions/execution/cancel";
const server = new FakeServer();

beforeEach(() => {
  server.install();
  server.on("GET /api/pipelines/pipeline", () => json(200, createPipeline()));
  server.on(CANCEL, () => json(200, createExecution({ cancel_requested: true })));
});

afterEach(() => {
  cleanup();
  server.remove();
});

/** With a button that brings another row, as the socket does. */
function Following({ first, then }: { first: ExecutionDetail; then: ExecutionDetail }) {
  const [execution, setExecution] = useState(first);
  return (
    <>
      <CancelButton execution={execution} />
      <button type="button" onClick={() => setExecution(then)}>
        the socket
      </button>
    </>
  );
}

function show(then: Partial<ExecutionDetail>): void {
  const [first, next] = [createExecution(), createExecution(then)];
  renderAt("/", [{ path: "/", element: <Following first={first} then={next} /> }]);
}

it("a dialog notices that there is nothing left to cancel", async () => {
  show({ status: "completed" });
  fireEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(await screen.findByText(/Its worker is told/)).toBeTruthy();
  fireEvent.click(screen.getByText("the socket"));
  expect(await screen.findByText("It has ended already: completed.")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Cancel the execution" })).toBeNull();
  expect(server.to(CANCEL)).toEqual([]);
});

it("cancels with the reason and one key, however often it is clicked", async () => {
  show({});
  fireEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  fireEvent.change(await screen.findByLabelText(/Why/), { target: { value: "too late" } });
  const confirm = screen.getByRole("button", { name: "Cancel the execution" });
  fireEvent.click(confirm);
  fireEvent.click(confirm);
  await screen.findByRole("button", { name: "Cancel" });
  const keys = new Set(server.to(CANCEL).map((request) => request.headers.get("Idempotency-Key")));
  expect([keys.size, keys.has(null)]).toEqual([1, false]);
  expect((await server.bodies(CANCEL))[0]).toEqual({ reason: "too late" });
});
