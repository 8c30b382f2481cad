import { cleanup, fireEvent, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

// Before the zone is read.
vi.hoisted(() => {
  process.env.TZ = "Europe/Berlin";
});

import { renderAt } from "@/mocks/render-at";
import { MomentField } from "./moment-field";

const heard = vi.fn<(value: string | undefined) => void>();

beforeEach(() => heard.mockClear());
afterEach(cleanup);

function Held({ begins }: { begins: string | undefined }) {
  const [value, setValue] = useState(begins);
  const onChange = (next: string | undefined) => {
    heard(next);
    setValue(next);
  };
  return <MomentField label="From" value={value} onChange={onChange} />;
}

function show(begins?: string) {
  renderAt("/", [{ path: "/", element: <Held begins={begins} /> }]);
}

const field = () => screen.getByLabelText<HTMLInputElement>("From");
const write = (text: string) => fireEvent.change(field(), { target: { value: text } });

it("takes a moment as people write it, and shows it with its zone once it is left", () => {
  show();
  write("2026-11-29 3:00");
  expect(field().value).toBe("2026-11-29 3:00");
  fireEvent.blur(field());
  expect(field().value).toBe("2026-11-29 03:00 +01:00");
  expect(heard.mock.lastCall).toEqual(["2026-11-29T02:00:00.000Z"]);
  write("2026-11-29 03:00 UTC");
  expect(heard.mock.lastCall).toEqual(["2026-11-29T03:00:00.000Z"]);
  write("");
  expect(heard.mock.lastCall).toEqual([undefined]);
});

it("says of what is no moment how to write one, not before it is left, and keeps it", () => {
  show();
  write("tomorrow");
  expect(screen.queryByText(/No time yet/)).toBeNull();
  fireEvent.blur(field());
  expect(screen.getByText("No time yet. Write it as 2026-11-29 03:00.")).toBeTruthy();
  expect(field().value).toBe("tomorrow");
});

it("tells the second half past two from the first, and changes nothing by itself", () => {
  show("2026-10-25T01:30:00.000000Z");
  expect(field().value).toBe("2026-10-25 02:30 +01:00");
  fireEvent.focus(field());
  fireEvent.blur(field());
  expect(heard).not.toHaveBeenCalled();
});

it("has a calendar, which keeps the time of day and counts in the same zone", async () => {
  show("2026-11-29T02:00:00.000Z");
  fireEvent.click(screen.getByRole("button", { name: "Choose from a calendar" }));
  fireEvent.click(await screen.findByRole("button", { name: /^17 November 2026/ }));
  expect(heard.mock.lastCall).toEqual(["2026-11-17T02:00:00.000Z"]);
  expect(field().value).toBe("2026-11-17 03:00 +01:00");
});
