import { expect, it } from "vitest";
import { createPlace } from "@/mocks/create-execution";
import { placeText, resourcesText, shortNode } from "./places";

it("says where an attempt runs, with what, and how long it waited for that", () => {
  const place = createPlace({ pid: 6500, resources: { CPU: 1, GPU: 0.5 }, waited_seconds: 3.21 });
  expect(placeText(place)).toBe("process 6500 · 1 CPU, 0.5 GPU · waited 3.2 s");
  expect(shortNode("1dba27f00b4af5b9")).toBe("1dba27…");
});

it("says memory in bytes of a size that people read, and that there is nothing", () => {
  expect(resourcesText({ memory: 2 * 1024 ** 3 })).toBe("2.0 GiB of memory");
  expect(resourcesText({})).toBe("no resources");
});
