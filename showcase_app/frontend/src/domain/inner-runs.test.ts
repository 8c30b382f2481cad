import { expect, it } from "vitest";
import { createRun } from "@/mocks/create-execution";
import { inShownOrder, pathOf, placesOf, placeWord, runName, someOf, totalOf } from "./inner-runs";

it.each([
  ["", "work", 1, "work#1"],
  ["work#1", "work", 17, "work#1/work#17"],
  ["", "get items/all", 2, "get items%2Fall#2"],
  ["a#1", "100%#1", 3, "a#1/100%25%231#3"],
  ["", "\u{10FFFF}ü", 1, "%10FFFFü#1"],
])("what is within %j, %j and %i is %j", (within, step_id, iteration, path) => {
  expect(pathOf({ within, step_id, iteration })).toBe(path);
});

it.each([
  { step_id: "search", iteration: 2, attempt: null },
  { step_id: "1.2.search[k/#%]\n", iteration: 10, attempt: 3 },
])("the address leads back to %j", (run) => {
  const places = placesOf("think#1", [placeWord(run), placeWord({ step_id: "x", iteration: 1, attempt: null })]);
  const within = pathOf({ ...run, within: "think#1" });
  expect(places).toEqual([
    { ...run, within: "think#1" },
    { within, step_id: "x", iteration: 1, attempt: null },
  ]);
});

it("an address that names no run leads as far as it does", () => {
  for (const wrong of ["", "search", "0..a", "1.0.a", "1..", "-1..a", "1e3..a", "9999999999..a"]) {
    expect(placesOf("a#1", ["1..b", wrong, "1..c"]).map((place) => place.step_id)).toEqual(["b"]);
  }
});

it("a run is called by its name, with its number where that says more", () => {
  expect(runName(createRun({ step_id: "search", step_name: "search" }))).toEqual({ name: "search", number: null });
  const second = createRun({ step_id: "search", step_name: "search", iteration: 2 });
  expect(runName(second)).toEqual({ name: "search", number: "#2" });
  const item = createRun({ step_id: "work", step_name: "doc-17", iteration: 17 });
  expect(runName(item)).toEqual({ name: "doc-17", number: "work #17" });
});

it("few runs are shown as they began, pages of many as they are numbered", () => {
  const early = createRun({ step_id: "b", created_at: "2026-01-01T00:00:00.000000Z" });
  const late = createRun({ step_id: "a", created_at: "2026-01-01T00:00:01.000000Z" });
  expect(inShownOrder([late, early], true)).toEqual([early, late]);
  expect(inShownOrder([late, early], false)).toEqual([late, early]);
  expect(totalOf({ completed: 2, failed: 3 })).toBe(5);
});

it("of many runs the first are shown, and the chosen one", () => {
  const runs = ["a", "b", "c", "d"].map((id) => createRun({ step_execution_id: id }));
  const shown = (chosen: string | null) => someOf(runs, chosen, 2).map((run) => run.step_execution_id);
  expect(shown(null)).toEqual(["a", "b"]);
  expect(shown("b")).toEqual(["a", "b"]);
  expect(shown("d")).toEqual(["a", "d"]);
  expect(shown("gone")).toEqual(["a", "b"]);
});
