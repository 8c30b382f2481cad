import { cleanup, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { ClusterOut, HeldOut } from "@/api/schema.gen";
import { at } from "@/mocks/create-execution";
import { renderAt } from "@/mocks/render-at";
import { ClustersPanel } from "./clusters-panel";

afterEach(cleanup);

const TRAINS: HeldOut = {
  execution_id: "0199c3f2-0000-7000-8000-000000000010",
  pipeline_name: "Nightly",
  step_execution_id: "attempt",
  within: "",
  step_id: "train",
  step_name: "Train",
  iteration: 1,
  node: "1dba27f00b4af5b9",
  pid: 6500,
  resources: { CPU: 1, GPU: 1 },
  waited_seconds: 3.2,
  since: at(3200),
};
const CLUSTER: ClusterOut = {
  cluster: "session_1",
  nodes: [
    {
      node: "1dba27f00b4af5b9",
      total: { CPU: 4, GPU: 1, memory: 8 * 1024 ** 3 },
      free: { CPU: 3, memory: 8 * 1024 ** 3 },
    },
    { node: "77aa00aa00aa00aa", total: { CPU: 2 }, free: { CPU: 2 } },
  ],
  pools: [],
  held: [TRAINS],
};

function show(clusters: ClusterOut[]) {
  renderAt("/system", [{ path: "/system", element: <ClustersPanel clusters={clusters} /> }]);
}

it("says what each node has and how much of it is in use", () => {
  show([CLUSTER]);
  const nodes = screen.getByRole("table", { name: "Nodes" });
  expect(within(nodes).getAllByRole("columnheader")).toHaveLength(4);
  within(nodes).getByRole("img", { name: "1 of 4 CPU in use" });
  within(nodes).getByRole("img", { name: "1 of 1 GPU in use" });
  within(nodes).getByRole("img", { name: "0 B of 8.0 GiB memory in use" });
  within(nodes).getByRole("img", { name: "0 of 2 CPU in use" });
  expect(within(nodes).getAllByText("–")).toHaveLength(2);
});

it("says what holds them, with a link to the step of its execution", () => {
  show([{ ...CLUSTER, held: [TRAINS, { ...TRAINS, step_execution_id: "item", within: "train#1", step_name: "7" }] }]);
  const held = screen.getByRole("table", { name: "What holds them" });
  const [, first, second] = within(held).getAllByRole("row");
  expect(first?.textContent).toContain("1 CPU, 1 GPU");
  expect(first?.textContent).toContain("pid 6500");
  const link = within(held).getAllByRole("link", { name: /^Nightly/ })[0];
  expect(link?.getAttribute("href")).toBe(`/executions/${TRAINS.execution_id}?step=train`);
  expect(second?.textContent).toContain("train: 7");
});

it("says which pools are kept warm, and that their attempts share what they hold", () => {
  const warm = {
    pipeline: "search",
    name: "embedder",
    node: TRAINS.node,
    pid: 6500,
    resources: { GPU: 1 },
    attempts: 1,
  };
  const idle = { ...warm, name: "reranker", pid: 6501, attempts: 0 };
  show([{ ...CLUSTER, pools: [warm, idle], held: [TRAINS, { ...TRAINS, step_execution_id: "alone", pid: 7000 }] }]);
  const [, first, second] = within(screen.getByRole("table", { name: "Warm pools" })).getAllByRole("row");
  expect(first?.textContent).toBe("searchembedder1 GPU1dba27… pid 65001");
  expect(second?.textContent).toContain("none");
  const [, shared, alone] = within(screen.getByRole("table", { name: "What holds them" })).getAllByRole("row");
  expect(shared?.textContent).toContain("with pool embedder");
  expect(alone?.textContent).toContain("1 CPU, 1 GPU");
});

it("says that nobody has joined a cluster that something runs on, and that nothing runs on another", () => {
  show([
    { ...CLUSTER, nodes: [] },
    { ...CLUSTER, cluster: "session_2", held: [] },
  ]);
  within(screen.getByRole("region", { name: "Ray cluster session_1" })).getByText(
    /no worker that is alive has joined it/,
  );
  within(screen.getByRole("region", { name: "Ray cluster session_2" })).getByText("No step runs on it");
});

it("shows nothing where there is no cluster", () => {
  show([]);
  expect(screen.queryByText("Ray cluster")).toBeNull();
});
