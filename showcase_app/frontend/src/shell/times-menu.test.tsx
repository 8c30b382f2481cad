import { act, cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

// Before the zone is read.
vi.hoisted(() => {
  process.env.TZ = "Europe/Berlin";
});

import { Moment } from "@/components/ui/moments";
import { renderAt } from "@/mocks/render-at";
import { TimesMenu } from "./times-menu";

const SECOND_HALF_PAST_TWO = "2026-10-25T01:30:00.042000Z";
const EXACTLY = ["2026-10-25 02:30:00.042 +01:00 Europe/Berlin", "2026-10-25 01:30:00.042 UTC"];

beforeEach(() => {
  localStorage.clear();
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"], now: Date.parse("2026-10-25T04:31:00Z") });
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

function show() {
  const page = (
    <>
      <TimesMenu />
      <Moment at={SECOND_HALF_PAST_TWO} />
    </>
  );
  renderAt("/", [{ path: "/", element: page }]);
}

const moment = () => screen.getByRole("button", { name: /^(\d h ago|2026-)/ });

async function choose(name: RegExp) {
  fireEvent.click(screen.getByRole("button", { name: /^Times/ }));
  const item = await screen.findByRole("menuitemradio", { name });
  fireEvent.click(item);
}

it("is shown by how long ago it was, in the reader's zone or in UTC, as chosen, also the next time", async () => {
  show();
  expect(moment().textContent).toBe("3 h ago");
  await choose(/^Europe\/Berlin/);
  expect(moment().textContent).toBe("2026-10-25 02:30:00 +01:00");
  await choose(/^UTC/);
  expect(moment().textContent).toBe("2026-10-25 01:30:00 UTC");
  expect(screen.getByRole("button", { name: "Times: UTC" })).toBeTruthy();
  cleanup();
  show();
  expect(moment().textContent).toBe("2026-10-25 01:30:00 UTC");
});

it("takes what is kept and means nothing for nothing", () => {
  localStorage.setItem("ia-modules-times", "swatch");
  show();
  expect(moment().textContent).toBe("3 h ago");
});

it("is told exactly, in both zones, where it has the focus", async () => {
  show();
  act(() => moment().focus());
  const tip = await screen.findByRole("tooltip");
  for (const text of EXACTLY) expect(tip.textContent).toContain(text);
  expect(moment().getAttribute("aria-describedby")).toBe(tip.id);
});
