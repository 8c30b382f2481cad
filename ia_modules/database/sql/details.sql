-- One execution for whoever looks into it: payloads beside their sizes, and never more of them than is asked for.

-- name: get_execution_detail
-- Payloads up to :inline_bytes are read along; NULL for larger ones. Their sizes are 0 where there is none.
WITH sized AS (
    SELECT execution_id,
           COALESCE(octet_length(CAST(input_data AS TEXT)), 0) AS input_bytes,
           COALESCE(octet_length(CAST(output_data AS TEXT)), 0) AS output_bytes,
           COALESCE(octet_length(CAST(metadata AS TEXT)), 0) AS metadata_bytes
      FROM pipeline_executions
     WHERE execution_id = :execution_id
)
SELECT execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at, owner,
       (SELECT alias FROM execution_aliases AS named WHERE named.execution_id = pipeline_executions.execution_id) AS alias,
       (SELECT imported_at FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS imported_at,
       (SELECT rows_sha256 FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS rows_sha256,
       (SELECT went_on FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS went_on,
       (SELECT step_id
          FROM failure_groups AS alike
         WHERE alike.pipeline_id = pipeline_executions.pipeline_id
           AND alike.failure_group = pipeline_executions.failure_group
           AND alike.step_id <> '') AS failed_step,
       epoch, recoveries, sequence, cancel_requested, rerun_of, total_steps, completed_steps, failed_steps,
       input_tokens, output_tokens, cost_micros, unpriced_calls,
       error_type, error_message, failure_group, created_at, started_at, completed_at, input_bytes, output_bytes, metadata_bytes,
       CASE WHEN input_bytes <= :inline_bytes THEN input_data END AS input_data,
       CASE WHEN output_bytes <= :inline_bytes THEN output_data END AS output_data, output_refs,
       CASE WHEN metadata_bytes <= :inline_bytes THEN metadata END AS metadata,
       CASE WHEN octet_length(CAST(overrides AS TEXT)) <= :inline_bytes THEN overrides END AS overrides, traceparent
  FROM sized
  JOIN pipeline_executions USING (execution_id);

-- name: get_execution_payloads
SELECT execution_id, input_data, output_data, output_refs, metadata
  FROM pipeline_executions
 WHERE execution_id = :execution_id;

-- name: list_step_details
-- The attempts after :cursor, in the order in which they began. Payloads up to :inline_bytes are read along, until those
-- of the attempts so far come to :answer_bytes; NULL for the others. Which ones is known before any of them is joined.
-- {conditions}: of which run.
WITH page AS (
    SELECT step_execution_id,
           input_bytes AS input_size,
           output_bytes AS output_size,
           COALESCE(octet_length(CAST(input_refs AS TEXT)), 0) AS input_refs_bytes,
           COALESCE(octet_length(CAST(metadata AS TEXT)), 0) AS metadata_bytes,
           COALESCE(octet_length(traceback), 0) AS traceback_bytes
      FROM step_executions
     WHERE execution_id = :execution_id AND within = :within AND step_execution_id > :cursor AND {conditions}
     ORDER BY step_execution_id
     LIMIT :limit
), summed AS (
    SELECT page.*,
           SUM(CASE WHEN input_size <= :inline_bytes THEN input_size ELSE 0 END
               + CASE WHEN output_size <= :inline_bytes THEN output_size ELSE 0 END
               + CASE WHEN input_refs_bytes <= :inline_bytes THEN input_refs_bytes ELSE 0 END
               + CASE WHEN metadata_bytes <= :inline_bytes THEN metadata_bytes ELSE 0 END
               + CASE WHEN traceback_bytes <= :inline_bytes THEN traceback_bytes ELSE 0 END)
               OVER (ORDER BY step_execution_id) AS bytes_so_far
      FROM page
), sized AS (
    SELECT summed.*, CASE WHEN bytes_so_far <= :answer_bytes THEN :inline_bytes ELSE -1 END AS largest_bytes
      FROM summed
)
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
       worker, wake_at, awaits, effect, routes, error_type, error_message, progress, progress_message, copied_from,
       input_tokens, output_tokens, cost_micros, unpriced_calls, usage, first_token_ms,
       cluster, node, pid, resources, waited_seconds,
       input_bytes, output_bytes, sequence, created_at, started_at, completed_at, input_refs_bytes, metadata_bytes, traceback_bytes,
       CASE WHEN input_size <= largest_bytes THEN input_data END AS input_data,
       CASE WHEN output_size <= largest_bytes THEN output_data END AS output_data,
       CASE WHEN input_refs_bytes <= largest_bytes THEN input_refs END AS input_refs,
       CASE WHEN metadata_bytes <= largest_bytes THEN metadata END AS metadata,
       CASE WHEN traceback_bytes <= largest_bytes THEN traceback END AS traceback
  FROM sized
  JOIN step_executions USING (step_execution_id)
  LEFT JOIN step_places USING (step_execution_id)
 ORDER BY step_execution_id;

-- name: list_reruns
SELECT execution_id
  FROM pipeline_executions
 WHERE rerun_of = :execution_id
 ORDER BY execution_id DESC
 LIMIT :limit;

-- name: list_compared_steps
-- The first attempts of all levels without payloads, in the order in which they began.
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
       worker, wake_at, awaits, effect, routes, error_type, error_message, progress, progress_message, copied_from,
       input_tokens, output_tokens, cost_micros, unpriced_calls, usage, first_token_ms,
       input_bytes, output_bytes, sequence, created_at, started_at, completed_at, input_refs, NULL AS metadata, NULL AS traceback,
       NULL AS input_data, NULL AS output_data
  FROM step_executions
 WHERE execution_id = :execution_id
 ORDER BY step_execution_id
 LIMIT :limit;

-- name: get_compared_payloads
SELECT step_execution_id,
       CASE WHEN CAST(:with_input AS BOOLEAN) THEN input_data END AS input_data,
       CASE WHEN CAST(:with_output AS BOOLEAN) THEN output_data END AS output_data
  FROM step_executions
 WHERE step_execution_id = :step_execution_id;
