import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { SessionOut } from "@/api/schema.gen";
import { FakeServer, json } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Home } from "./home";
import { Shell } from "./shell";

const COUNT = "GET /api/interactions/count";
const server = new FakeServer();
const WIDE = window.innerWidth;
const { happyDOM } = window as unknown as { happyDOM: { setViewport: (size: { width: number }) => void } };

beforeEach(() => {
  server.install();
  FakeSocket.install();
  server.on(COUNT, () => json(200, { pending: 0, capped: false }));
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
  happyDOM.setViewport({ width: WIDE });
});

function show(address: string, role: SessionOut["role"] = "operator") {
  server.signIn(role, { actor: "ann", keys_required: true });
  return render(address);
}

function render(address: string) {
  const pages = ["pipelines", "executions", "inbox", "inbox/:id"].map((path) => ({ path, element: <p>{path}</p> }));
  const children = [{ index: true, element: <Home /> }, ...pages];
  return renderAt(address, [{ path: "/", element: <Shell />, children }]);
}

const links = () => within(screen.getByRole("navigation")).getAllByRole("link");

it("counts what waits, and counts again when executions change", async () => {
  server.on(COUNT, () => json(200, { pending: 3, capped: false }));
  show("/pipelines");
  expect(await screen.findByRole("link", { name: /^Inbox\s*3 waiting$/ })).toBeTruthy();
  server.on(COUNT, () => json(200, { pending: 1000, capped: true }));
  act(() => FakeSocket.newest.say({ type: "resync" }));
  expect(await screen.findByRole("link", { name: /^Inbox\s*1,000\+ waiting$/ })).toBeTruthy();
  server.on(COUNT, () => json(200, { pending: 0, capped: false }));
  act(() => FakeSocket.newest.say({ type: "resync" }));
  expect(await screen.findByRole("link", { name: "Inbox" })).toBeTruthy();
});

it("what waits is counted on the button of the navigation too, while that is closed", async () => {
  happyDOM.setViewport({ width: 360 });
  server.on(COUNT, () => json(200, { pending: 3, capped: false }));
  show("/pipelines");
  const button = await screen.findByRole("button", { name: "Navigation, 3 waiting in the inbox" });
  expect(button.getAttribute("aria-expanded")).toBe("false");
  expect(button.parentElement?.textContent).toBe("3");
  fireEvent.click(button);
  expect(screen.getByRole("button", { name: "Navigation", expanded: true })).toBeTruthy();
  fireEvent.click(button);
  server.on(COUNT, () => json(200, { pending: 0, capped: false }));
  act(() => FakeSocket.newest.say({ type: "resync" }));
  expect(await screen.findByRole("button", { name: "Navigation", expanded: false })).toBeTruthy();
});

it("a server that shows a run file says so on every page", async () => {
  show("/pipelines");
  await screen.findByRole("link", { name: "Inbox" });
  expect(screen.queryByText("Run file")).toBeNull();
  cleanup();
  server.signIn("viewer", { run_file: true });
  renderAt("/pipelines", [{ path: "/", element: <Shell />, children: [{ path: "*", element: null }] }]);
  expect((await screen.findByText("Run file")).textContent).toBe("Run file, read-only");
});

it("an approver sees the inbox and nothing else, wherever the address leads", async () => {
  const { router } = show("/", "approver");
  await waitFor(() => expect(router.state.location.pathname).toBe("/inbox"));
  expect(links().map((link) => link.textContent)).toEqual(["Inbox"]);
  await act(() => router.navigate("/executions"));
  expect(screen.getByRole("heading", { name: "This page is not for your key" })).toBeTruthy();
  expect(screen.queryByText("executions")).toBeNull();
  await act(() => router.navigate("/inbox/some-id"));
  expect(screen.getByText("inbox/:id")).toBeTruthy();
});

it("no page is there, to ask for something, before it is known who looks", async () => {
  let answer: (response: Response) => void = () => undefined;
  server.on("GET /api/session", () => new Promise<Response>((resolve) => (answer = resolve)));
  render("/executions");
  await waitFor(() => expect(server.to("GET /api/session")).toHaveLength(1));
  expect(screen.queryByText("executions")).toBeNull();
  answer(json(200, { actor: "ann", role: "operator", keys_required: true, signed_in: true }));
  expect(await screen.findByText("executions")).toBeTruthy();
});

it("others begin with the pipelines, and see every page", async () => {
  const { router } = show("/");
  await waitFor(() => expect(router.state.location.pathname).toBe("/pipelines"));
  expect(links().map((link) => link.textContent)).toEqual([
    "Pipelines",
    "Executions",
    "Inbox",
    "Failures",
    "Metrics",
    "System",
  ]);
});
