/** What is run once: the definition as it was checked, with the input that it asks for. */
import type { Definition } from "@/api/pipelines";
import type { DefinitionCheck, DefinitionInput } from "./use-definition-check";

/** In the address while the form for it is open. */
export const ONCE = "once";

export type Trial = { definition: Definition; input: DefinitionInput };

/** Null: it is not checked yet, or something is wrong with it. */
export function trialOf({ definition, input }: DefinitionCheck): Trial | null {
  return definition === null || input === null ? null : { definition, input };
}
