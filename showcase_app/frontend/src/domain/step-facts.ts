/** The facts of a step in a definition, in words for people. Pure. */
import type { GraphNode } from "@/api/schema.gen";
import { durationText } from "./time";

const KINDS: Readonly<Record<GraphNode["type"], string>> = {
  task: "Task",
  human_input: "Question to a person",
  condition: "Condition",
};

export function stepFacts(node: GraphNode): [what: string, value: string][] {
  const facts: [string, string | null][] = [
    ["Id", node.id],
    ["Kind", KINDS[node.type]],
    ["Module", node.module],
    ["Class", node.step_class],
    ["Runs for each of", node.map_over],
    ["Attempts", node.retry_max_attempts === 1 ? "1, not tried again" : `up to ${node.retry_max_attempts}`],
    ["Time limit", node.timeout_seconds === null ? "none" : durationText(node.timeout_seconds)],
    ["In a loop", node.max_iterations === 1 ? null : `runs up to ${node.max_iterations} times`],
    ["When it fails", whenItFails(node)],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== null);
}

function whenItFails({ has_fallback, continues_on_error }: GraphNode): string {
  if (has_fallback) return "its fallback runs";
  return continues_on_error ? "the others go on" : "the execution fails";
}
