import { expect, test } from "vitest";
import { costText, currencyOf, hasUsage, modelsText, tokensText, unpricedText } from "./usage";

test.each([
  [null, "no price"],
  [0, "0.00 USD"],
  [1, "0.000001 USD"],
  [228, "0.000228 USD"],
  [1_500_000, "1.50 USD"],
  [12_345_678_900_000, "12,345,678.90 USD"],
  [2 ** 53 - 1, "9,007,199,254.740991 USD"],
])("an amount is shown as it is stored: %s", (micros, text) => {
  expect(costText(micros, "USD")).toBe(text);
});

test("calls without a price are counted", () => {
  expect([null, 0, 1, 1200].map(unpricedText)).toEqual([
    null,
    null,
    "1 call has no price",
    "1,200 calls have no price",
  ]);
  expect(tokensText({ input_tokens: 1200, output_tokens: null })).toBe("1,200 in, 0 out");
  expect([hasUsage({ input_tokens: 0 }), hasUsage({ input_tokens: null })]).toEqual([true, false]);
});

test("the models of an attempt are named once", () => {
  const entry = {
    "gen_ai.provider.name": null,
    calls: 1,
    "gen_ai.usage.input_tokens": 1,
    "gen_ai.usage.output_tokens": 1,
    "gen_ai.usage.cache_read.input_tokens": 0,
    "gen_ai.usage.reasoning.output_tokens": 0,
    "cost.micros": null,
    "cost.currency": "EUR",
    "cost.source": "unknown" as const,
  };
  const usage = ["a", "b", "a"].map((model) => ({ "gen_ai.request.model": model, ...entry }));
  expect([modelsText(usage), currencyOf(usage)]).toEqual(["a, b", "EUR"]);
  expect([modelsText(null), currencyOf(null)]).toEqual(["", ""]);
});
