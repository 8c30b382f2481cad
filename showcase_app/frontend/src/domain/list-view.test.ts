import { describe, expect, it } from "vitest";
import { PLAIN_LOOK, readLook, readViews, shownColumns, withColumn, withView } from "./list-view";

describe("the columns", () => {
  it("are as many as there is room for, until somebody chooses", () => {
    expect(shownColumns(PLAIN_LOOK, false)).not.toContain("trigger");
    expect(shownColumns(PLAIN_LOOK, true)).toContain("trigger");
    expect(shownColumns({ columns: ["error"], isDense: false }, true)).toEqual(["error"]);
  });

  it("keep their order when one comes and goes", () => {
    expect(withColumn(["started", "error"], "duration", true)).toEqual(["started", "duration", "error"]);
    expect(withColumn(["started", "error"], "started", false)).toEqual(["error"]);
  });
});

it("what was kept is read again, and anything else is a plain look", () => {
  const look = { columns: ["started" as const, "worker" as const], isDense: true };
  expect(readLook(JSON.stringify(look))).toEqual(look);
  for (const text of [undefined, "", "{", "[]", "null", "7"]) expect(readLook(text)).toEqual(PLAIN_LOOK);
  expect(readLook('{"columns":["started","none"],"isDense":1}')).toEqual({ columns: ["started"], isDense: false });
});

it("a view has a name once, and what is none is left out", () => {
  const views = withView(withView([], { name: "night", search: "window=24h" }), { name: "all", search: "" });
  expect(views.map(({ name }) => name)).toEqual(["all", "night"]);
  const again = withView(views, { name: "night", search: "status=failed" });
  expect(again).toEqual([
    { name: "all", search: "" },
    { name: "night", search: "status=failed" },
  ]);
  expect(readViews(JSON.stringify(again))).toEqual(again);
  expect(readViews('[{"name":1,"search":""},{"name":"a"},null,{"name":"b","search":"q=1"}]')).toEqual([
    { name: "b", search: "q=1" },
  ]);
  for (const text of [undefined, "", "{}", "null"]) expect(readViews(text)).toEqual([]);
});
