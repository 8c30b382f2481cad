/** A pipeline as the server sends it, for tests: usual values, but for the fields that a test names. */
import type { DefinitionOwnerOut, PipelineDetail } from "@/api/schema.gen";
import { at } from "./create-execution";

export function createPipeline(row: Partial<PipelineDetail> = {}): PipelineDetail {
  return {
    id: "pipeline",
    slug: "pipeline",
    name: "Pipeline",
    description: null,
    current_version: 1,
    is_active: true,
    runnable: true,
    step_count: 1,
    created_at: at(0),
    updated_at: at(0),
    recent: [],
    success_rate: null,
    p50_seconds: null,
    p95_seconds: null,
    active: 0,
    beside: [],
    owner: createOwner(),
    version: 1,
    version_origin: null,
    version_author: null,
    version_note: null,
    source_folder_known: true,
    definition: {},
    input_schema: null,
    default_input: {},
    last_input: null,
    ...row,
  };
}

export function createOwner(row: Partial<DefinitionOwnerOut> = {}): DefinitionOwnerOut {
  return { origin: null, author: null, newest_version: 1, files: [], beside: [], ...row };
}
