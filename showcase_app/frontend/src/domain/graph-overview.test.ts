import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EdgeLine } from "./graph-layout";
import { areaAround, boxAt, isInArea, shapesOfBoxes, shapesOfLines } from "./graph-overview";

const box = (id: string, x: number, y = 0) => ({ id, x, y, width: 10, height: 5 });

describe("shapes", () => {
  it("are one for each colour that there is, in the order of the colours", () => {
    const boxes = [box("a", 0), box("b", 20), box("c", 40)];
    const colors = new Map([
      ["a", "red"],
      ["b", "green"],
      ["c", "red"],
    ]);
    expect(shapesOfBoxes(boxes, ["blue", "green", "red"], (id) => colors.get(id) ?? "blue")).toEqual([
      { id: "[boxes] green", color: "green", path: "M20 0h10v5h-10z" },
      { id: "[boxes] red", color: "red", path: "M0 0h10v5h-10zM40 0h10v5h-10z" },
    ]);
  });

  it("of lines end in arrowheads", () => {
    const points = [
      { x: 0, y: 0 },
      { x: 20, y: 0 },
    ];
    const line: EdgeLine = { id: "0", source: "a", target: "b", edge: null, edges: [], points, labelAt: null };
    expect(shapesOfLines([line], ["gray"], () => "gray")[0]?.path).toBe("M 0 0 L 20 0M11 4.5L20 0L11 -4.5");
  });
});

describe("the area around a view", () => {
  const zooms = fc.double({ min: 0.001, max: 1.6, noNaN: true });
  const places = fc.double({ min: -1e6, max: 1e6, noNaN: true });

  it("holds all that is in view, and not much more", () => {
    fc.assert(
      fc.property(places, places, zooms, (x, y, zoom) => {
        const [width, height] = [1150, 420];
        const area = areaAround({ x, y, zoom }, width, height);
        const seen = { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
        const least = 1e-6 * Math.max(1, Math.abs(seen.x), Math.abs(seen.y));
        expect(area.x).toBeLessThanOrEqual(seen.x + least);
        expect(area.y).toBeLessThanOrEqual(seen.y + least);
        expect(area.x + area.width).toBeGreaterThanOrEqual(seen.x + seen.width - least);
        expect(area.y + area.height).toBeGreaterThanOrEqual(seen.y + seen.height - least);
        expect(area.width).toBeLessThanOrEqual(4 * seen.width);
      }),
    );
  });

  it("has what touches it", () => {
    const area = { x: 0, y: 0, width: 100, height: 100 };
    expect([box("a", 95), box("b", -10), box("c", 101)].map((each) => isInArea(each, area))).toEqual([
      true,
      true,
      false,
    ]);
  });
});

it("a click chooses the step under it, or the nearest that is near", () => {
  const boxes = [box("a", 0), box("b", 20)];
  const at = (x: number, reach: number) => boxAt(boxes, { x, y: 2 }, reach)?.id ?? null;
  expect([at(5, 0), at(12, 3), at(17, 4), at(15, 3)]).toEqual(["a", "a", "b", null]);
});
