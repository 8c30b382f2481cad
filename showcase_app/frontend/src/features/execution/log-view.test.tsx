import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LogOut } from "@/api/schema.gen";
import { leftOutOf, NO_LINES } from "@/domain/log-lines";
import { createLine } from "@/mocks/create-execution";
import { FakeServer, json } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { LogView } from "./log-view";

const LOGS = "GET /api/executions/execution/logs";
const server = new FakeServer();

beforeEach(() => {
  server.install();
  window.localStorage.clear();
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.restoreAllMocks();
});

const numbered = (count: number, row: (at: number) => Partial<LogOut> = () => ({})) =>
  Array.from({ length: count }, (_, at) =>
    createLine({ log_id: `id-${at + 1}`, sequence: at + 1, message: `line ${at + 1}`, ...row(at + 1) }),
  );

/** The server has these lines: it searches and pages as the real one does. */
function serve(lines: LogOut[]): void {
  server.on(LOGS, ({ url }) => {
    const query = new URL(url).searchParams;
    const q = query.get("q");
    const found = lines.filter((line) => q === null || line.logger !== null || line.message.includes(q));
    const from = Number(query.get("cursor") ?? 0);
    const to = from + Number(query.get("limit"));
    return json(200, {
      items: found.slice(from, to),
      next_cursor: to < found.length ? `${to}` : null,
      left_out: from === 0 ? leftOutOf(lines) : null,
    });
  });
}

function show(address = "/", running = false) {
  const view = <LogView executionId="execution" of="Nightly" heard={NO_LINES} running={running} />;
  const { router } = renderAt(address, [{ path: "/", element: view }]);
  return () => new URLSearchParams(router.state.location.search);
}

const list = () => screen.findByRole("log", { name: "Log lines" });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));
const gap = { logger: "ia_modules.left_out", level: "info" as const, data: { left_out: 8_000 }, message: "left out" };

it("what was left out is said above the lines with its count, also to who searches", async () => {
  serve(numbered(3, (at) => (at === 2 ? gap : {})));
  const address = show("/?q=line+3");
  await list();
  expect(screen.getByText(/^8,000 lines are left out: .* The search does not see them\.$/)).toBeTruthy();
  expect(screen.getAllByRole("link").map((link) => link.parentElement?.textContent)).toHaveLength(2);
  press("Show where");
  await waitFor(() => expect(address().get("line")).toBe("id-2"));
});

it("nothing is said of lines left out where none are", async () => {
  serve(numbered(3));
  show();
  await list();
  expect(screen.queryByText(/left out/)).toBeNull();
  expect(screen.getByText("3 lines")).toBeTruthy();
});

it("search and level are in the address, and are asked of the server", async () => {
  serve(numbered(30));
  const address = show("/?level=warning");
  await list();
  fireEvent.change(screen.getByRole("textbox", { name: "Search in the log lines" }), { target: { value: "line 17" } });
  await waitFor(() => expect(address().get("q")).toBe("line 17"));
  await screen.findByText("1 line found");
  const asks = server.to(LOGS).map((request) => new URL(request.url).searchParams);
  expect(asks.map((query) => [query.get("level"), query.get("q")])).toEqual([
    ["warning", null],
    ["warning", "line 17"],
  ]);
  press("Clear");
  await waitFor(() => expect(address().has("q")).toBe(false));
});

it("of many lines a few are drawn, and the next error and the end are found wherever they are", async () => {
  serve(numbered(1_600, (at) => (at === 2 || at === 1_177 ? { level: "error" } : {})));
  const address = show();
  await list();
  expect(screen.getAllByRole("link").length).toBeLessThan(100);
  expect(server.to(LOGS)).toHaveLength(1);
  press("Next error");
  await waitFor(() => expect(address().get("line")).toBe("id-2"));
  press("Next error");
  await waitFor(() => expect(address().get("line")).toBe("id-1177"));
  press("Next error");
  await waitFor(() => expect(address().get("line")).toBe("id-2"));
  press("To the end");
  await screen.findByText("1,600 lines");
  expect(server.to(LOGS)).toHaveLength(4);
  expect(screen.getAllByRole("link").length).toBeLessThan(100);
});

it("an address leads to its line, which is numbered and marked", async () => {
  serve(numbered(1_600));
  show("/?line=id-7");
  const link = await screen.findByRole("link", { name: "Link to line 7" });
  expect(link.getAttribute("aria-current")).toBe("true");
  expect(link.getAttribute("href")).toBe("/?line=id-7");
  cleanup();
  server.requests.length = 0;
  show("/?line=id-1100");
  await screen.findByText("1,500 lines, more below");
  await waitFor(() => expect(server.to(LOGS)).toHaveLength(3));
});

it("that there is no error, or not the line of the address, is said", async () => {
  serve(numbered(3));
  show("/?line=of-another");
  await screen.findByText("3 lines. The line of this address is not among them.");
  press("Next error");
  await screen.findByText("3 lines. There is no error among them.");
});

it("all lines that are found are downloaded, not only those that were read", async () => {
  const saved: File[] = [];
  vi.spyOn(URL, "createObjectURL").mockImplementation((file) => {
    if (file instanceof File) saved.push(file);
    return "blob:file";
  });
  serve(numbered(1_200));
  show();
  await list();
  press("Download all of these lines");
  await waitFor(() => expect(saved).toHaveLength(1));
  const lines = (await saved[0]?.text())?.split("\n");
  expect([saved[0]?.name, lines?.length]).toEqual(["Nightly-execution.log", 1_201]);
  expect(lines?.[1_199]).toContain("INFO line 1200");
});

it("lines wrap or not, as was chosen last", async () => {
  serve(numbered(1));
  show();
  expect((await list()).hasAttribute("data-wrap")).toBe(true);
  press("Wrap long lines");
  expect((await list()).hasAttribute("data-wrap")).toBe(false);
  cleanup();
  show();
  expect((await list()).hasAttribute("data-wrap")).toBe(false);
});

it("in full width the lines are the same, and the address says so", async () => {
  serve(numbered(3, () => ({ logger: "shop.cart" })));
  const address = show();
  await list();
  press("Full width");
  const dialog = await screen.findByRole("dialog", { name: "Log lines of Nightly" });
  expect(within(dialog).getByText("line 3").textContent).toBe("shop.cartline 3");
  expect(address().get("wide")).toBe("logs");
  press("Back to the page");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

it("who follows is at the end, until they look at another place", async () => {
  serve(numbered(1_200));
  show("/", true);
  await screen.findByText("1,200 lines, new ones appear as they are written");
  const follow = screen.getByRole("switch", { name: "Follow" });
  expect((follow as HTMLInputElement).checked).toBe(true);
  fireEvent.keyDown(await list(), { key: "Home" });
  expect((follow as HTMLInputElement).checked).toBe(false);
});
