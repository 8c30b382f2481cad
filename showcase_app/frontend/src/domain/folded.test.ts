import { expect, it } from "vitest";
import { folded } from "./folded";

it.each([
  ["Großer Ärger", "GROSSER ä"],
  ["Σίσυφος", "ΣΊΣ"],
  ["ΣΊΣΥΦΟΣ", "σίσυφος"],
  ["İstanbul, Iğdır", "istanbul, iğdir"],
])("finds in %s the text %s", (stands, text) => {
  expect(folded(stands)).toContain(folded(text));
});
