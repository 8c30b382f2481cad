import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createExecution } from "@/mocks/create-execution";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { ExportMenu } from "./export-menu";

const FILE = "GET /api/executions/0199/run-file";
const PLAN = `${FILE}/plan`;
const server = new FakeServer();
const saved: { name: string; href: string }[] = [];

beforeEach(() => {
  server.install();
  server.on(PLAN, (request) => {
    const without = new URL(request.url).searchParams.getAll("without");
    const inside = without.length === 0 ? "inputs, outputs and 2 log lines, in full" : `no ${without.join(", ")}`;
    return json(200, { execution_id: "0199", runs: "1 run", inside });
  });
  vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:file");
  vi.spyOn(URL, "revokeObjectURL").mockReturnValue();
  saved.length = 0;
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    saved.push({ name: this.download, href: this.href });
  });
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  server.remove();
});

async function show(): Promise<void> {
  const execution = createExecution({ execution_id: "0199" });
  renderAt("/", [{ path: "/", element: <ExportMenu execution={execution} /> }]);
  fireEvent.click(await screen.findByRole("button", { name: "Export" }));
}

const open = async () => fireEvent.click(await screen.findByRole("menuitem", { name: "Download as run file…" }));
const check = (name: RegExp) => fireEvent.click(screen.getByRole("checkbox", { name }));
const download = () => fireEvent.click(screen.getByRole("button", { name: "Download" }));

it("what will be inside is said, and is what is asked for", async () => {
  const sent = { "Content-Disposition": 'attachment; filename="execution-0199.iarun"', "Rows-SHA256": "5f2b" };
  server.on(FILE, () => new Response(new Blob(["SQLite"]), { status: 200, headers: sent }));
  await show();
  await open();
  expect(await screen.findByText(/1 run; inputs, outputs and 2 log lines, in full\./)).toBeTruthy();
  check(/^Inputs/);
  check(/^Log lines/);
  check(/^The executions that it comes from/);
  expect(await screen.findByText(/1 run; no payloads, logs\./)).toBeTruthy();
  expect(server.to(FILE)).toHaveLength(0);
  download();
  expect(await screen.findByText(/execution-0199\.iarun, 6 B/)).toBeTruthy();
  expect(screen.getByText("5f2b")).toBeTruthy();
  expect(server.to(FILE).map((request) => new URL(request.url).search)).toEqual([
    "?lineage=true&without=payloads&without=logs",
  ]);
  expect(saved).toEqual([{ name: "execution-0199.iarun", href: "blob:file" }]);
});

it("a refusal is said, and no file is saved", async () => {
  server.on(FILE, () => refusal(503, "The database is away."));
  await show();
  await open();
  download();
  expect(await screen.findByText("The database is away.")).toBeTruthy();
  expect(saved).toEqual([]);
});

it("a run file makes no run file; JSON it does", async () => {
  server.signIn("viewer", { run_file: true });
  await show();
  const item = await screen.findByRole("menuitem", { name: "Run file: you are looking at one" });
  await waitFor(() => expect(item.hasAttribute("data-disabled")).toBe(true));
  const json = screen.getByRole("menuitem", { name: "JSON, for scripts" });
  expect(json.getAttribute("href")).toBe("/api/executions/0199/export");
});
