import { describe, expect, it } from "vitest";
import type { ExecutionOut, ExecutionPageOut } from "@/api/schema.gen";
import { type ExecutionList, oldPages, pageOf, withPageRead } from "./execution-list";

const row = (execution_id: string, sequence = 1) => ({ execution_id, sequence }) as ExecutionOut;

function page(ids: string, next_cursor: string | null = null, sequence = 1): ExecutionPageOut {
  return { items: [...ids].map((id) => row(id, sequence)), next_cursor, searched: null, looked_back_to: null };
}

const idsOf = (list: ExecutionList) => list.pages.map(({ items }) => items.map((item) => item.execution_id).join(""));

/** Newest first, as the API has it: h g | f e | d, and more below. */
const list: ExecutionList = { pages: [page("hg", "g"), page("fe", "e"), page("d", "d")], pageParams: [null, "g", "e"] };

describe("which page is old", () => {
  it.each([
    ["z", 0],
    ["g", 0],
    ["f", 1],
    ["e", 1],
    ["d", 2],
    ["c", -1],
  ])("%s belongs to page %d", (id, index) => {
    expect(pageOf(list, id)).toBe(index);
  });

  it("is said by a newer sequence and by an id that is not there, not by what is known", () => {
    const hints = [
      { execution_id: "h", sequence: 1 },
      { execution_id: "e", sequence: 2 },
      { execution_id: "c", sequence: 9 },
    ];
    expect([...oldPages(list, hints)]).toEqual([1]);
    expect([...oldPages(list, [{ execution_id: "z", sequence: 1 }])]).toEqual([0]);
  });
});

describe("a page that is read again", () => {
  it("changes its rows in place, and no other page", () => {
    const { list: after } = withPageRead(list, 1, page("fedc", "c", 5), { admit: true });
    expect(idsOf(after)).toEqual(["hg", "fe", "d"]);
    expect(after.pages[1]?.items.map(({ sequence }) => sequence)).toEqual([5, 5]);
    expect(after.pages[0]).toBe(list.pages[0]);
  });

  it("loses rows that match no more, without taking those of the next page", () => {
    expect(idsOf(withPageRead(list, 1, page("edc", "c"), { admit: true }).list)).toEqual(["hg", "e", "d"]);
  });

  it("lets new ones in on top, and keeps what the answer did not reach", () => {
    const after = withPageRead(list, 0, page("jih", "h"), { admit: true });
    expect(idsOf(after.list)).toEqual(["jihg", "fe", "d"]);
    expect(after).toMatchObject({ held: 0, more: false });
  });

  it("counts new ones that may not come in yet", () => {
    const after = withPageRead(list, 0, page("jihgf", "f", 3), { admit: false });
    expect(idsOf(after.list)).toEqual(["hg", "fe", "d"]);
    expect(after.list.pages[0]?.items[0]?.sequence).toBe(3);
    expect(after).toMatchObject({ held: 2, more: false });
  });

  it("starts the list anew where more came than an answer holds", () => {
    const answer = page("zyx", "x");
    expect(withPageRead(list, 0, answer, { admit: true }).list).toEqual({ pages: [answer], pageParams: [null] });
    const waiting = withPageRead(list, 0, answer, { admit: false });
    expect(waiting).toEqual({ list, held: 3, more: true });
  });

  it("keeps the end where it was: a list that was read to its end stays so", () => {
    const all: ExecutionList = { pages: [page("ba")], pageParams: [null] };
    expect(withPageRead(all, 0, page("cb", "b"), { admit: true }).list.pages[0]).toMatchObject({ next_cursor: null });
    expect(idsOf(withPageRead(all, 0, page("cb", "b"), { admit: true }).list)).toEqual(["cba"]);
    expect(idsOf(withPageRead(all, 0, page(""), { admit: true }).list)).toEqual([""]);
  });

  it("fills a list that was empty, whoever reads it", () => {
    const empty: ExecutionList = { pages: [page("")], pageParams: [null] };
    expect(idsOf(withPageRead(empty, 0, page("a"), { admit: false }).list)).toEqual(["a"]);
  });
});
