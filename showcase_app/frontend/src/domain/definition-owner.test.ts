import { expect, it } from "vitest";
import type { DefinitionOwnerOut, StoredBesideOut } from "@/api/schema.gen";
import { createOwner, createPipeline } from "@/mocks/create-pipeline";
import { besideSentence, conflictWords, originText, ownerSentence } from "./definition-owner";

const file = { host: "box", path: "/srv/shop.json", version: 2, registered_at: "2026-11-29T12:00:00.000000Z" };

function sentence(owner: Partial<DefinitionOwnerOut>, current_version: number | null = 2) {
  return ownerSentence({ owner: createOwner(owner), current_version });
}

it("says in a list that somebody is to choose", () => {
  expect(conflictWords(createPipeline())).toBeNull();
  expect(conflictWords(createPipeline({ current_version: 2, beside: [3] }))).toEqual({
    short: "Conflict: v3 beside v2",
    sentence: "v3 stands beside v2, the current one, until somebody chooses.",
  });
  expect(conflictWords(createPipeline({ current_version: 2, beside: [4, 3] }))?.sentence).toBe(
    "v4 and v3 stand beside v2, the current one, until somebody chooses.",
  );
});

it("says who owns the current version, and what the file holds", () => {
  expect(sentence({ origin: "file", files: [file] })).toBe("Owned by /srv/shop.json on box: it follows that file.");
  expect(sentence({ origin: "page", author: "ada" })).toBe("Version 2 was chosen on a page by ada.");
  expect(sentence({ origin: "page", author: "ada", files: [file] }, 3)).toBe(
    "Version 3 was chosen on a page by ada. /srv/shop.json on box holds version 2.",
  );
  expect(sentence({ origin: "api", files: [file] })).toBe(
    "Version 2 was chosen over HTTP. /srv/shop.json on box holds the same.",
  );
  expect(sentence({ origin: "program", files: [{ ...file, version: null }] })).toContain("holds another one.");
  expect(sentence({ origin: null })).toBeNull();
  expect(sentence({ origin: "file" }, null)).toBeNull();
});

it("names the file that holds the current version before one that holds another", () => {
  const newest = { ...file, path: "/other.json", version: 1 };
  expect(sentence({ origin: "file", files: [newest, file] })).toContain("/srv/shop.json");
});

it("says why a version stands beside the current one", () => {
  const beside: StoredBesideOut = {
    version: 4,
    origin: "file",
    author: null,
    host: "box",
    path: "/srv/shop.json",
    stored_at: "2026-11-29T12:00:00.000000Z",
  };
  const shop = (origin: DefinitionOwnerOut["origin"]) =>
    createPipeline({ current_version: 3, owner: createOwner({ origin, author: "ada" }) });
  const stays = "Version 3 stays the current one until somebody chooses.";
  expect(besideSentence(beside, shop("page"))).toBe(
    `/srv/shop.json on box changed after version 3 was chosen by ada. ${stays}`,
  );
  expect(besideSentence(beside, shop("file"))).toBe(
    `/srv/shop.json on box holds version 4, and another file gave version 3. ${stays}`,
  );
  const edited = { ...beside, origin: "page" as const, author: "bob", host: null, path: null };
  expect(besideSentence(edited, shop("file"))).toBe(
    `It was edited on a page by bob while version 3 became the current one. ${stays}`,
  );
});

it("says where a version came from in a word or two", () => {
  expect(originText("page", "ada")).toBe("Page, ada");
  expect(originText("file", null)).toBe("File");
  expect(originText(null, null)).toBe("–");
});
