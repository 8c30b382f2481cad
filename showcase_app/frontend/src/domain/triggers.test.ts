import { expect, it } from "vitest";
import { startedByText } from "./triggers";

it.each([
  ["page", "ann", "Page, by ann"],
  ["api", "nightly-import", "API, by nightly-import"],
  ["page", "local", "Page"],
  ["rerun", null, "Re-run"],
  ["cron", "ann", "cron, by ann"],
])("what %s started for %s reads %s", (trigger, started_by, text) => {
  expect(startedByText({ trigger, started_by })).toBe(text);
});
