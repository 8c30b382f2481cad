import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ImportedRunOut } from "@/api/schema.gen";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { ImportButton } from "./import-button";

const IMPORT = "POST /api/executions/import";
const server = new FakeServer();

const brought: ImportedRunOut = {
  execution_id: "0199c3f2-0000-7000-8000-00000000000a",
  imported: ["0199c3f2-0000-7000-8000-00000000000a"],
  already_here: ["0199c3f2-0000-7000-8000-00000000000b"],
  went_on: ["0199c3f2-0000-7000-8000-00000000000a"],
  lost_aliases: ["order 17"],
  rows_sha256: "5f2b",
  inside: "inputs, outputs and 912 log lines, in full",
};

beforeEach(() => server.install());

afterEach(() => {
  cleanup();
  server.remove();
});

function show(): void {
  renderAt("/executions", [{ path: "/executions", element: <ImportButton /> }]);
}

async function choose(file: File): Promise<HTMLElement> {
  fireEvent.click(await screen.findByRole("button", { name: "Take in a run file" }));
  const dialog = await screen.findByRole("dialog");
  const input = document.querySelector<HTMLInputElement>('input[type="file"]');
  if (input === null) throw new Error("there is no field for a file");
  fireEvent.change(input, { target: { files: [file] } });
  return dialog;
}

const take = (dialog: HTMLElement) => fireEvent.click(within(dialog).getByRole("button", { name: "Take it in" }));

it("a file is sent as it is, and what it brought is said with links", async () => {
  server.on(IMPORT, () => json(200, brought));
  show();
  const dialog = await choose(new File([new Uint8Array([0, 255, 10])], "run.iarun"));
  take(dialog);
  expect(await within(dialog).findByText("1 execution came as a copy; 1 execution was here already.")).toBeTruthy();
  expect(await server.bodies(IMPORT)).toEqual([{ run_file: "AP8K" }]);
  const links = within(dialog).getAllByRole("link");
  expect(links.map((link) => link.getAttribute("href"))).toEqual(
    [...brought.imported, ...brought.already_here].map((id) => `/executions/${id}`),
  );
  const items = within(dialog).getAllByRole("listitem");
  expect(items[0]?.textContent).toContain("it had not ended, and went on elsewhere");
  expect(items[1]?.textContent).not.toContain("elsewhere");
  for (const text of [/912 log lines/, /5f2b/, /order 17/]) expect(within(dialog).getByText(text)).toBeTruthy();
});

it("a refusal stands at the field in the server's words, and goes with another file", async () => {
  server.on(IMPORT, () => refusal(422, "The file that was sent cannot be used: it is no SQLite file."));
  show();
  const dialog = await choose(new File(["{}"], "run.iarun"));
  take(dialog);
  expect(await within(dialog).findByText(/it is no SQLite file/)).toBeTruthy();
  expect(within(dialog).queryByRole("status")).toBeNull();
  const input = document.querySelector('input[type="file"]');
  if (input !== null) fireEvent.change(input, { target: { files: [new File(["x"], "other.iarun")] } });
  await waitFor(() => expect(within(dialog).queryByText(/it is no SQLite file/)).toBeNull());
});

it("what is too large is not sent, and how it is taken in all the same is said", async () => {
  show();
  const large = new File([new Uint8Array(24 * 2 ** 20 + 1)], "run.iarun");
  const dialog = await choose(large);
  expect(within(dialog).getByText(/of at most 24 MiB/)).toBeTruthy();
  expect(await within(dialog).findByText(/ia-modules executions import run\.iarun/)).toBeTruthy();
  expect(within(dialog).getByRole<HTMLButtonElement>("button", { name: "Take it in" }).disabled).toBe(true);
});

it.each([
  ["viewer", {}],
  ["viewer", { run_file: true }],
] as const)("a %s with %j cannot, and is told why", async (role, other) => {
  server.signIn(role, other);
  show();
  const button = await screen.findByRole<HTMLButtonElement>("button", { name: "Take in a run file" });
  await waitFor(() => expect(button.disabled).toBe(true));
});
