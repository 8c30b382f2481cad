import { expect, it } from "vitest";
import { type InboxFilters, inboxFilters, isNarrowed, QUESTION_STATUSES, withInboxFilters } from "./inbox-filters";

const of = (words: string) => inboxFilters(new URLSearchParams(words));

it("an address without a status means what waits, and a wrong one too", () => {
  expect(of("")).toEqual({ status: "pending" });
  expect(of("status=open&assigned_to=%20&other=1")).toEqual({ status: "pending" });
  expect(of("status=all").status).toBeUndefined();
});

it("what is changed in an address is what is read from it, and the rest stays", () => {
  for (const status of [...QUESTION_STATUSES, undefined]) {
    for (const assigned_to of ["ann & bob", undefined]) {
      const filters: InboxFilters = { status, assigned_to, pipeline_id: "p", execution_id: "e" };
      const address = withInboxFilters(new URLSearchParams("tab=1"), filters);
      expect(inboxFilters(address)).toEqual(filters);
      expect(address.get("tab")).toBe("1");
    }
  }
});

it("a change of one filter leaves the others, and what waits needs no word", () => {
  const address = withInboxFilters(new URLSearchParams("status=answered&assigned_to=ann"), { pipeline_id: "p" });
  expect(inboxFilters(address)).toEqual({ status: "answered", assigned_to: "ann", pipeline_id: "p" });
  expect(withInboxFilters(address, { status: "pending", assigned_to: undefined }).toString()).toBe("pipeline_id=p");
});

it.each([
  ["", false],
  ["status=all", true],
  ["status=answered", true],
  ["assigned_to=ann", true],
  ["pipeline_id=p", true],
  ["execution_id=e", true],
])("%s is narrowed: %s", (words, expected) => {
  expect(isNarrowed(of(words))).toBe(expected);
});
