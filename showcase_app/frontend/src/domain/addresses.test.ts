import { expect, it } from "vitest";
import { nameIn, pipelineAddress } from "./addresses";

it.each(["code-review", "a/b/versions", "Grüße, 世界", "100 % sure?#&=+.x", "%2F", "%252F", "a\nb"])(
  "an address has the slug %j in it, and gives it back",
  (slug) => {
    const address = pipelineAddress({ id: "0199", slug });
    expect(nameIn(new URL(address, "http://here").pathname)).toBe(slug);
  },
);

it.each([".", "..", "new"])("a slug that an address has another meaning for, %s, is named by its id", (slug) => {
  expect(pipelineAddress({ id: "0199", slug })).toBe("/pipelines/0199");
});

it("what nobody has encoded is taken as it stands", () => {
  expect(nameIn("/failures/100%")).toBe("100%");
  expect(nameIn("/failures")).toBe("");
});
