/** The format of pipelines and the code of a server, for tests: the parts that completion is tried with. */
import type { OfferedModuleOut } from "@/api/schema.gen";
import type { JsonObject } from "@/domain/json";

const text = { type: "string" };
const orNull = (schema: JsonObject): JsonObject => ({ anyOf: [schema, { type: "null" }], default: null });
const to = (name: string): JsonObject => ({ $ref: `#/$defs/${name}` });

function condition(type: string, properties: JsonObject = {}): JsonObject {
  const required = ["type", ...Object.keys(properties)];
  return { properties: { type: { const: type, type: "string" }, ...properties }, required, type: "object" };
}

/** As `/api/definitions/schema` has it, with fewer keys. */
export function createFormat(): JsonObject {
  return {
    $defs: {
      Step: {
        description:
          "A node of the graph.\n\nAttributes:\n    type: ``task`` runs code;\n        or asks.\n    timeout_seconds: of one attempt.",
        properties: {
          id: text,
          name: text,
          type: { enum: ["task", "human_input", "condition"], type: "string" },
          module: orNull(text),
          step_class: orNull(text),
          config: { type: "object" },
          inputs: { items: to("Input"), type: "array" },
          conditions: { items: to("AnyCondition"), type: "array" },
          timeout_seconds: orNull({ type: "number" }),
          error_handling: to("ErrorHandling"),
        },
        required: ["id"],
        type: "object",
      },
      Input: { properties: { name: text, source: { title: "Source" } }, required: ["name", "source"], type: "object" },
      ErrorHandling: {
        properties: { retry: orNull(to("Retry")), enable_fallback: orNull({ type: "boolean" }) },
        type: "object",
      },
      Retry: { properties: { max_attempts: { type: "integer" } }, type: "object" },
      Path: {
        properties: { from_step: text, to_step: text, condition: to("AnyCondition") },
        required: ["from_step", "to_step"],
        type: "object",
      },
      AnyCondition: { oneOf: [to("Else"), to("Expression"), to("Parameter"), to("Function")] },
      Else: condition("else"),
      Expression: condition("expression", { source: text, operator: { enum: ["equals", "in"] }, value: {} }),
      Parameter: condition("parameter", { parameter: text }),
      Function: condition("function", { module_path: text, function_name: text }),
      Flow: {
        properties: { start_at: text, paths: { items: to("Path"), type: "array" } },
        required: ["start_at"],
        type: "object",
      },
    },
    properties: {
      name: text,
      slug: text,
      parameters: { type: "array" },
      steps: { items: to("Step"), type: "array" },
      flow: to("Flow"),
      searchable: { items: text, type: "array" },
    },
    required: ["name", "steps", "flow"],
    type: "object",
  };
}

export function createModules(): OfferedModuleOut[] {
  return [
    { name: "own_steps", is_beside: true, names: [{ name: "Charge", description: "Charges.", fields: [] }] },
    {
      name: "ia_modules.steps",
      is_beside: false,
      names: [{ name: "read_table", description: "Reads.", fields: ["columns", "rows"] }],
    },
  ];
}
