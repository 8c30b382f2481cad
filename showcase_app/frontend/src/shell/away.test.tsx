import { act, cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { awayAsOf, heard, lookNow } from "@/api/away";
import { useWhyReadOnly } from "@/api/session";
import { Duration } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { ServerButton } from "@/components/ui/server-button";
import { FakeServer, json } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Shell } from "./shell";

const server = new FakeServer();
let isThere = true;

beforeEach(() => {
  isThere = true;
  server.install();
  server.on("GET /api/interactions/count", () => json(200, { pending: 0, capped: false }));
  FakeSocket.install();
  vi.stubGlobal("fetch", async () => {
    if (!isThere) throw new TypeError("Failed to fetch");
    return new Response("{}");
  });
});

afterEach(() => {
  cleanup();
  act(() => {
    isThere = true;
    lookNow();
    heard();
  });
  server.remove();
  vi.unstubAllGlobals();
});

function Page() {
  const [sent, setSent] = useState(0);
  const why = useWhyReadOnly();
  return (
    <>
      <p>{why ?? "all may be changed"}</p>
      <p data-testid="clock">
        <Duration start={new Date(Date.now() - 60_000).toISOString()} end={null} />
      </p>
      <QueryFailed what="The list" error={new Error("it broke")} />
      <ServerButton onClick={() => setSent(sent + 1)}>Sent {sent} times</ServerButton>
    </>
  );
}

it("while the server is away the page says as of when it is, its clocks stand still and its actions are off", async () => {
  renderAt("/", [{ path: "/", element: <Shell />, children: [{ index: true, element: <Page /> }] }]);
  expect(await screen.findByText("all may be changed")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Sent 0 times" }));
  const button = screen.getByRole("button", { name: "Sent 1 times" });
  act(() => FakeSocket.newest.say({ type: "resync" }));
  isThere = false;
  act(() => FakeSocket.newest.end());

  expect(await screen.findByText("The server cannot be reached.")).toBeTruthy();
  expect(screen.getByText(/^\d\d:\d\d:\d\d$/).getAttribute("datetime")).toBe(new Date(awayAsOf() ?? 0).toISOString());
  expect(screen.getByText(/this comes back by itself/)).toBeTruthy();
  expect(screen.getByText("The list could not be read")).toBeTruthy();
  expect(screen.queryByText("it broke")).toBeNull(); // it is not the list's fault
  fireEvent.click(button);
  expect(button.textContent).toBe("Sent 1 times");
  expect(button.getAttribute("aria-disabled")).toBe("true");
  const clock = screen.getByTestId("clock");
  const stood = clock.textContent;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(clock.textContent).toBe(stood);

  isThere = true;
  fireEvent.click(screen.getByRole("button", { name: "Look now" }));
  await waitFor(() => expect(screen.queryByText("The server cannot be reached.")).toBeNull());
  expect(screen.getByText("all may be changed")).toBeTruthy();
  expect(screen.getByText("it broke")).toBeTruthy();
  fireEvent.click(button);
  expect(button.textContent).toBe("Sent 2 times");
  await waitFor(() => expect(clock.textContent).not.toBe(stood));
});

it("a socket that the server ended while it answers otherwise is no server that is away", async () => {
  renderAt("/", [{ path: "/", element: <Shell />, children: [{ index: true, element: <Page /> }] }]);
  await screen.findByText("all may be changed");
  act(() => FakeSocket.newest.end(1013));
  await waitFor(() => expect(FakeSocket.opened.length).toBeGreaterThan(1)); // it has been made again
  expect(screen.queryByText("The server cannot be reached.")).toBeNull();
});
