import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { parseJson } from "@/domain/json";
import { renderAt } from "@/mocks/render-at";
import { JsonView } from "./json-view";

const TEXT = `{
  "id": 9007199254740993,
  "rate": 1.0,
  "__proto__": {
    "list": [
      -0.0,
      1E5
    ]
  }
}`;
const copied = vi.fn<(text: string) => Promise<void>>();

beforeEach(() => {
  copied.mockReset().mockResolvedValue(undefined);
  vi.stubGlobal("navigator", { ...navigator, clipboard: { writeText: copied } });
  renderAt("/", [{ path: "/", element: <JsonView value={parseJson(TEXT)} label="Output" /> }]);
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** What is copied by the button of the row that begins with a text. */
async function copiedFrom(beginning: string, button: string): Promise<string | undefined> {
  const row = screen.getAllByRole("treeitem").find((each) => each.textContent?.startsWith(beginning));
  const before = copied.mock.calls.length;
  fireEvent.click(row?.querySelector(`[aria-label="${button}"]`) as HTMLElement);
  await waitFor(() => expect(copied.mock.calls.length).toBe(before + 1));
  return copied.mock.lastCall?.[0];
}

it("shows every number by its text, and every key", () => {
  expect(screen.getAllByRole("treeitem").map((row) => row.textContent)).toEqual([
    "3 keys",
    "id:9007199254740993",
    "rate:1.0",
    "__proto__:1 key",
    "list:2 items",
    "0:-0.0",
    "1:1E5",
  ]);
});

it("copies values and paths as they are", async () => {
  expect(await copiedFrom("id", "Copy value")).toBe("9007199254740993");
  expect(await copiedFrom("0:", "Copy value")).toBe("-0.0");
  expect(await copiedFrom("0:", "Copy path")).toBe("$.__proto__.list[0]");
  expect(await copiedFrom("3 keys", "Copy value")).toBe(TEXT);
});

it("is the same raw", () => {
  fireEvent.click(screen.getByRole("radio", { name: "Raw" }));
  expect(screen.getByLabelText("Output, raw").textContent).toBe(TEXT);
});

it("finds a number by its text", async () => {
  fireEvent.change(screen.getByLabelText("Search in Output"), { target: { value: "740993" } });
  await waitFor(() => expect(screen.getByRole("status").textContent).toBe("1 of 1"));
  expect(document.querySelector("mark")?.textContent).toBe("740993");
});
