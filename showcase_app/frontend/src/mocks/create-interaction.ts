/** Questions to people as the server sends them, for tests: usual values, but for the fields that a test names. */
import type { InteractionDetail, InteractionOut, ListedInteraction, ResponseOut } from "@/api/schema.gen";
import { at, createInteraction } from "./create-execution";

export { createInteraction };

/** A schema of an answer: the server's document says no more of it than that it is an object. */
export function asSchema(schema: unknown): InteractionOut["ui_schema"] {
  return schema as InteractionOut["ui_schema"];
}

export function createListedInteraction(row: Partial<ListedInteraction> = {}): ListedInteraction {
  return {
    ...createInteraction(),
    execution_id: "execution",
    pipeline_id: "pipeline",
    pipeline_name: "Pipeline",
    pipeline_version: 1,
    ...row,
  };
}

export function createInteractionDetail(row: Partial<InteractionDetail> = {}): InteractionDetail {
  const answers = { response: null, responses: [] };
  return { ...createListedInteraction(), data: {}, input_data: {}, on_timeout: "fail", ...answers, ...row };
}

export function createResponse(row: Partial<ResponseOut> = {}): ResponseOut {
  return { actor: "ann", verified: false, revision: 1, response: {}, answered_at: at(0), ...row };
}
