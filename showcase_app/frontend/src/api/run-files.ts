/** Executions as files: what one would have, one to take along, one to take in. */
import { queryOptions } from "@tanstack/react-query";
import { leftOut, type RunFileChoice } from "@/domain/run-files";
import { answered, answeredFile, api, files } from "./client";

/** What a file would have, if it was made now. */
export function runFilePlanQuery(executionId: string, choice: RunFileChoice) {
  return queryOptions({
    queryKey: ["run-file", executionId, choice] as const,
    queryFn: ({ signal }) => {
      const params = { path: { execution_id: executionId }, query: queryOf(choice) };
      return answered(api.GET("/api/executions/{execution_id}/run-file/plan", { params, signal }));
    },
    staleTime: 0,
  });
}

/** The file, under the name that the server gives it, and the hash of its rows. That it was made goes on record. */
export async function runFileOf(executionId: string, choice: RunFileChoice) {
  const params = { path: { execution_id: executionId }, query: queryOf(choice) };
  const request = files.GET("/api/executions/{execution_id}/run-file", { params, parseAs: "blob" });
  const { file, headers } = await answeredFile(request);
  return { file, rows_sha256: headers.get("Rows-SHA256") ?? "" };
}

function queryOf(choice: RunFileChoice) {
  return { lineage: choice.lineage, without: leftOut(choice) };
}

/** Takes a file in; what is here already is left as it is. Sent twice with the same key, it says what the first brought. */
export async function importRunFile(file: Blob, idempotencyKey: string) {
  const params = { header: { "Idempotency-Key": idempotencyKey } };
  return answered(api.POST("/api/executions/import", { params, body: { run_file: await base64Of(file) } }));
}

function base64Of(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () =>
      reject(new Error("The file could not be read. Was it moved, or changed, since it was chosen?"));
    reader.readAsDataURL(file);
  });
}
