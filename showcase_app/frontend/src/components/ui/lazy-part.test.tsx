import { MantineProvider } from "@mantine/core";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { Suspense } from "react";
import { afterEach, expect, it, vi } from "vitest";
import { lookNow, useAwayAsOf } from "@/api/away";
import { lazyPart } from "./lazy-part";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const Part = ({ name }: { name: string }) => <p>{`${name} is here`}</p>;
const Standing = () => <p>{useAwayAsOf() === null ? "there" : "away"}</p>;

function show(load: () => Promise<typeof Part>) {
  vi.spyOn(console, "error").mockReturnValue(undefined); // React reports what a boundary has caught
  const Lazy = lazyPart(load);
  render(
    <MantineProvider env="test">
      <Standing />
      <Suspense>
        <Lazy name="It" />
      </Suspense>
    </MantineProvider>,
  );
}

it("a part whose code cannot be fetched says so, and comes by itself when the server is back", async () => {
  let isThere = false;
  vi.stubGlobal("fetch", async () => {
    if (!isThere) throw new TypeError("Failed to fetch");
    return new Response("{}");
  });
  show(async () => {
    if (!isThere) throw new TypeError("Failed to fetch dynamically imported module");
    return Part;
  });
  expect(await screen.findByText("away")).toBeTruthy();
  expect(await screen.findByText("The server cannot be reached. As soon as it is back, this is fetched.")).toBeTruthy();
  isThere = true;
  act(() => lookNow());
  expect(await screen.findByText("It is here")).toBeTruthy();
});

it("code that a server does not have any more is said to be old, and tried again by hand", async () => {
  let isBroken = true;
  show(async () => {
    if (isBroken) throw new TypeError("Failed to fetch dynamically imported module");
    return Part;
  });
  expect(await screen.findByText(/the server may have newer pages/)).toBeTruthy();
  isBroken = false;
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("It is here")).toBeTruthy();
});
