import { expect, it } from "vitest";
import { createItemGrid as grid } from "@/mocks/create-execution";
import { itemsSentence, itemsText, movedBy, notBegun, sharesOf, squaresOf } from "./item-grid";

it("each character is the square of an item, or of neighbours", () => {
  const one = grid({ items: 3, statuses: ["completed", "failed"], squares: "01-" });
  expect(squaresOf(one)).toEqual([
    { first: 1, last: 1, status: "completed", text: "1: Completed" },
    { first: 2, last: 2, status: "failed", text: "2: Failed" },
    { first: 3, last: 3, status: null, text: "3: Not begun" },
  ]);
  const several = grid({ items: 7, per_square: 3, statuses: ["waiting"], squares: "-0-" });
  expect(squaresOf(several).map(({ text }) => text)).toEqual([
    "1 to 3, at worst: Not begun",
    "4 to 6, at worst: Waiting",
    "7: Not begun",
  ]);
});

it("what is done and what failed is said in short, all of it in a sentence", () => {
  const by_status = { running: 1, completed: 1204, failed: 2, waiting: 3, cancelled: 1 };
  const some = grid({ items: 1300, by_status });
  expect(itemsText(some)).toBe("1,204 done · 2 failed · 3 waiting");
  expect(itemsSentence(some)).toBe(
    "1,300 items: 1,204 completed, 2 failed, 1 cancelled, 1 running, 3 waiting, 89 not begun",
  );
  expect(notBegun(some)).toBe(89);
  expect(itemsText(grid({ items: 2, by_status: { running: 2 } }))).toBe("0 done");
  expect(itemsText(grid({ items: 2 }))).toBe("");
  expect(itemsSentence(grid({ items: 1, by_status: { completed: 1 } }))).toBe("1 item: 1 completed");
});

it("the parts of a ring are as large as their counts, but never too small to be seen", () => {
  const half = sharesOf(grid({ items: 4, by_status: { running: 1, completed: 2 } }));
  expect(half).toEqual([
    { status: "completed", from: 0, share: 0.5 },
    { status: "running", from: 0.5, share: 0.25 },
  ]);
  const [done, failed] = sharesOf(grid({ items: 100_000, by_status: { failed: 1, completed: 99_999 } }));
  expect(failed?.share).toBeGreaterThan(0.03);
  expect((done?.share ?? 0) + (failed?.share ?? 0)).toBeCloseTo(1);
  expect(sharesOf(grid({ items: 4 }))).toEqual([]);
});

it.each([
  ["ArrowRight", 4, 5],
  ["ArrowLeft", 4, 3],
  ["ArrowUp", 4, 1],
  ["ArrowDown", 4, 7],
  ["Home", 4, 0],
  ["End", 4, 7],
  ["ArrowDown", 5, 5],
  ["ArrowUp", 1, 1],
  ["ArrowLeft", 0, 0],
  ["ArrowRight", 7, 7],
  ["Enter", 4, null],
])("%s leads from %i to %s, of eight in rows of three", (key, place, next) => {
  expect(movedBy(key, place, 8, 3)).toBe(next);
});
