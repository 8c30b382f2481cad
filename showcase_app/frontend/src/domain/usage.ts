/** What calls of models used, in words: tokens, exact amounts of money, and what has no price. Pure. */
import type { ExecutionOut, StepOut } from "@/api/schema.gen";

type Sums = Pick<ExecutionOut | StepOut, "input_tokens" | "output_tokens" | "cost_micros" | "unpriced_calls">;

const MICROS = 1_000_000;

/** An amount as it is stored, in millionths: 0.000228, 1.50; with its currency where that is said. */
export function costText(micros: number | null, currency = ""): string {
  if (micros === null) return "no price";
  const whole = Math.floor(micros / MICROS);
  const digits = String(micros % MICROS).padStart(6, "0");
  const shown = digits.replace(/0+$/, "").padEnd(2, "0");
  return `${whole.toLocaleString("en")}.${shown}${currency === "" ? "" : ` ${currency}`}`;
}

export function tokensText({ input_tokens, output_tokens }: Pick<Sums, "input_tokens" | "output_tokens">): string {
  return `${(input_tokens ?? 0).toLocaleString("en")} in, ${(output_tokens ?? 0).toLocaleString("en")} out`;
}

/** Of calls without a price; null: all have one. */
export function unpricedText(calls: number | null): string | null {
  if (calls === null || calls === 0) return null;
  return calls === 1 ? "1 call has no price" : `${calls.toLocaleString("en")} calls have no price`;
}

/** Whether anything was told of calls of models. */
export function hasUsage({ input_tokens }: Pick<Sums, "input_tokens">): boolean {
  return input_tokens !== null;
}

/** The models of an attempt, each once. */
export function modelsText(usage: StepOut["usage"]): string {
  return [...new Set((usage ?? []).map((entry) => entry["gen_ai.request.model"]))].join(", ");
}

/** The currency of an attempt's costs. */
export function currencyOf(usage: StepOut["usage"]): string {
  return usage?.[0]?.["cost.currency"] ?? "";
}
