import { expect, it } from "vitest";
import { isDrawable, safeAddress, safeWebAddress } from "./foreign-text";

it.each(["https://example.org/a?b=c#d", "HTTP://example.org", "mailto:ann@example.org"])("%s is an address", (href) => {
  expect(safeAddress(href)).toBe(href);
});

it.each([
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  "java\nscript:alert(1)",
  " https://example.org",
  "data:text/html,<script>alert(1)</script>",
  "vbscript:x",
  "file:///etc/passwd",
  "//example.org",
  "/api/executions",
  "#top",
  "https://",
  "",
  undefined,
  null,
])("%j leads nowhere", (href) => {
  expect(safeAddress(href)).toBeNull();
});

it("a picture's address is one of the web", () => {
  expect(safeWebAddress("https://example.org/a.png")).toBe("https://example.org/a.png");
  expect(safeWebAddress("mailto:ann@example.org")).toBeNull();
  expect(safeWebAddress("data:image/png;base64,AAAA")).toBeNull();
});

it.each([
  ["Well?", true],
  ["> > quoted\n\n- a\n  - b\n    1. c", true],
  ["a".repeat(10_000), true],
  ["a".repeat(10_001), false],
  [">".repeat(5000), false],
  [`Look:\n${"> ".repeat(100)}deep`, false],
  ["- ".repeat(100), false],
  ["1. ".repeat(100), false],
])("%.20s is drawn: %s", (markdown, expected) => {
  expect(isDrawable(markdown)).toBe(expected);
});
