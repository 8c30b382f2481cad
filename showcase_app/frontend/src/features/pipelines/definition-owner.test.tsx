import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createOwner, createPipeline } from "@/mocks/create-pipeline";
import { FakeServer, json } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { Conflicts, OwnerLine } from "./definition-owner";

const CHOOSE = "POST /api/pipelines/pipeline/current";
const server = new FakeServer();
const shop = createPipeline({
  current_version: 3,
  owner: createOwner({
    origin: "page",
    author: "ada",
    newest_version: 4,
    files: [{ host: "box", path: "/srv/shop.json", version: 4, registered_at: "2026-11-29T12:00:00.000000Z" }],
    beside: [
      {
        version: 4,
        origin: "file",
        author: null,
        host: "box",
        path: "/srv/shop.json",
        stored_at: "2026-11-29T12:00:00.000000Z",
      },
    ],
  }),
});

beforeEach(() => {
  server.install();
  server.on(CHOOSE, () => json(200, shop));
});

afterEach(() => {
  cleanup();
  server.remove();
});

function show(pipeline = shop) {
  const element = (
    <>
      <OwnerLine pipeline={pipeline} />
      <Conflicts pipeline={pipeline} />
    </>
  );
  return renderAt("/?version=2", [{ path: "/", element }]);
}

it("shows a conflict with both versions, and the way to what differs", () => {
  show();
  expect(screen.getByText(/was chosen on a page by ada. .*shop.json on box holds version 4/)).toBeTruthy();
  expect(screen.getByText("Version 4 stands beside version 3")).toBeTruthy();
  expect(screen.getByRole("link", { name: "What differs" }).getAttribute("href")).toBe("/?tab=versions&from=3&to=4");
});

it("either version is chosen, over the current one that is shown", async () => {
  show();
  fireEvent.click(screen.getByRole("button", { name: "Make version 4 current" }));
  await waitFor(() => expect(server.to(CHOOSE)).toHaveLength(1));
  fireEvent.click(screen.getByRole("button", { name: "Keep version 3" }));
  await waitFor(() => expect(server.to(CHOOSE)).toHaveLength(2));
  expect(await server.bodies(CHOOSE)).toEqual([
    { version: 4, base_version: 3 },
    { version: 3, base_version: 3 },
  ]);
});

it("a viewer sees the conflict and chooses nothing", async () => {
  server.signIn("viewer");
  show();
  const button = screen.getByRole("button", { name: "Make version 4 current" });
  await waitFor(() => expect(button.getAttribute("aria-disabled")).toBe("true"));
  fireEvent.click(button);
  expect(server.to(CHOOSE)).toEqual([]);
});

it("says nothing where nothing stands beside the current version and nobody owns it", () => {
  show(createPipeline());
  expect(screen.queryByRole("alert")).toBeNull();
  expect(screen.queryByText(/chosen|Owned/)).toBeNull();
});
