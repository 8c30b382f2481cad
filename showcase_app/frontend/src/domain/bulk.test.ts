import { expect, it } from "vitest";
import type { BulkOut } from "@/api/schema.gen";
import { PART, partsOf, together } from "./bulk";

const ids = (count: number) => Array.from({ length: count }, (_, place) => `id-${place}`);

it.each([1, PART, PART + 1, 1000])("%d that are named come in parts, each once and in order", (count) => {
  const parts = partsOf({ execution_ids: ids(count) });
  expect(parts.flatMap(({ which }) => ("execution_ids" in which ? which.execution_ids : []))).toEqual(ids(count));
  expect(parts.every((part) => part.count > 0 && part.count <= PART)).toBe(true);
});

it.each([
  [0, [{ token: "t" }]],
  [PART, [{ token: "t" }]],
  [
    250,
    [
      { token: "t", skip: 0, limit: PART },
      { token: "t", skip: 100, limit: PART },
      { token: "t", skip: 200, limit: PART },
    ],
  ],
])("a token over %d is gone through in order", (count, expected) => {
  const parts = partsOf({ token: "t", count });
  expect(parts.map(({ which }) => which)).toEqual(expected);
  expect(parts.reduce((total, part) => total + part.count, 0)).toBe(count);
});

it("what came of the parts is told as of one", () => {
  const part = (done: number, name: string): BulkOut => ({
    matched: done + 2,
    matched_capped: false,
    done,
    refused: [{ execution_id: `refused-${name}`, reason: "No." }],
    left_out: [{ execution_id: `left-${name}`, rerun_id: "again", status: "pending" }],
    token: null,
    steps: [],
  });
  const all = together([part(100, "a"), part(50, "b")]);
  expect([all.matched, all.done]).toEqual([154, 150]);
  expect(all.refused.map((each) => each.execution_id)).toEqual(["refused-a", "refused-b"]);
  expect(all.left_out.map((each) => each.execution_id)).toEqual(["left-a", "left-b"]);
});
