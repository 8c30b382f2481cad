-- What is asked about one execution, and about pipelines. Lists stand in lists.sql.

-- name: clock
SELECT ia_now() AS now;

-- name: get_execution
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
       error_type, error_message, failure_group, created_at, started_at, completed_at, input_data, output_data, output_refs, metadata,
       overrides, traceparent
  FROM pipeline_executions
 WHERE execution_id = :execution_id;

-- name: get_execution_summary
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
       error_type, error_message, failure_group, created_at, started_at, completed_at
  FROM pipeline_executions
 WHERE execution_id = :execution_id;

-- name: find_execution
SELECT execution_id FROM pipeline_executions WHERE execution_id = :execution_id;

-- name: find_alias
SELECT execution_id FROM execution_aliases WHERE alias = :alias;

-- name: find_request
SELECT execution_id, request_hash
  FROM execution_requests
 WHERE pipeline_id = :pipeline_id AND idempotency_key = :idempotency_key;

-- name: list_steps
-- In the order in which they started. Payloads up to :inline_bytes are read along; NULL for larger ones.
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
       worker, wake_at, awaits, effect, routes, error_type, error_message, progress, progress_message, copied_from,
       input_tokens, output_tokens, cost_micros, unpriced_calls, usage, first_token_ms,
       cluster, node, pid, resources, waited_seconds,
       input_bytes, output_bytes, sequence, created_at, started_at, completed_at, input_refs, metadata, traceback,
       CASE WHEN input_bytes <= :inline_bytes THEN input_data END AS input_data,
       CASE WHEN output_bytes <= :inline_bytes THEN output_data END AS output_data
  FROM step_executions
  LEFT JOIN step_places USING (step_execution_id)
 WHERE execution_id = :execution_id AND within = :within
 ORDER BY step_execution_id;

-- name: list_results
-- Of whichever attempts lead on; the others are there without one.
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
       worker, wake_at, awaits, effect, routes, error_type, error_message, progress, progress_message, copied_from,
       input_tokens, output_tokens, cost_micros, unpriced_calls, usage, first_token_ms,
       input_bytes, output_bytes, sequence, created_at, started_at, completed_at, input_refs, NULL AS metadata, NULL AS traceback, NULL AS input_data,
       CASE WHEN routes IS NOT NULL THEN output_data END AS output_data
  FROM step_executions
 WHERE execution_id = :execution_id AND within = :within
 ORDER BY step_execution_id;

-- name: list_attempts
-- Of one level, without payloads, in the order in which they started.
SELECT step_execution_id, step_id, step_name, iteration, attempt, status, wake_at, awaits, routes, input_refs,
       error_type, error_message, copied_from, sequence, created_at, started_at, completed_at,
       (SELECT asked.created_at FROM interactions AS asked
         WHERE asked.step_execution_id = step_executions.step_execution_id) AS asked_at,
       COALESCE((SELECT asked.carries FROM interactions AS asked
         WHERE asked.step_execution_id = step_executions.step_execution_id), FALSE) AS carries,
       COALESCE(sequence <= (SELECT reopened FROM pipeline_executions WHERE execution_id = :execution_id), FALSE)
           AS is_reopened
  FROM step_executions
 WHERE execution_id = :execution_id AND within = :within
 ORDER BY step_execution_id;

-- name: get_output
SELECT step_execution_id, output_data FROM step_executions WHERE step_execution_id = :step_execution_id;

-- name: get_step
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
       worker, wake_at, awaits, effect, routes, error_type, error_message, progress, progress_message, copied_from,
       input_tokens, output_tokens, cost_micros, unpriced_calls, usage, first_token_ms,
       cluster, node, pid, resources, waited_seconds,
       input_bytes, output_bytes, sequence, created_at, started_at, completed_at, input_refs, metadata, traceback, input_data, output_data
  FROM step_executions
  LEFT JOIN step_places USING (step_execution_id)
 WHERE step_execution_id = :step_execution_id;

-- name: changed_steps
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
       worker, wake_at, awaits, effect, routes, error_type, error_message, progress, progress_message, copied_from,
       input_tokens, output_tokens, cost_micros, unpriced_calls, usage, first_token_ms,
       cluster, node, pid, resources, waited_seconds,
       input_bytes, output_bytes, sequence, created_at, started_at, completed_at
  FROM step_executions
  LEFT JOIN step_places USING (step_execution_id)
 WHERE execution_id = :execution_id AND within = :within AND sequence > :after AND sequence <= :upto
 ORDER BY sequence, step_execution_id
 LIMIT :limit;

-- name: changed_logs
SELECT log_id, execution_id, within, step_execution_id, level, logger, message, data, logged_at, sequence
  FROM execution_logs
 WHERE execution_id = :execution_id AND within = :within AND sequence > :after AND sequence <= :upto
 ORDER BY sequence, log_id
 LIMIT :limit;

-- name: changed_interactions
SELECT interactions.interaction_id, interactions.execution_id, interactions.step_execution_id, step_id, pipeline_id,
       pipeline_name, pipeline_version, interactions.status, prompt, ui_schema, assigned_users, assigned_role, answers,
       decided_by, wake_at AS deadline_at, interactions.created_at, interactions.completed_at, interactions.sequence
  FROM interactions
  JOIN step_executions ON step_executions.step_execution_id = interactions.step_execution_id
  JOIN pipeline_executions ON pipeline_executions.execution_id = interactions.execution_id
 WHERE interactions.execution_id = :execution_id
   AND interactions.sequence > :after
   AND interactions.sequence <= :upto
 ORDER BY interactions.sequence, interactions.interaction_id
 LIMIT :limit;

-- name: get_interactions
SELECT interactions.interaction_id, interactions.execution_id, interactions.step_execution_id, step_id, pipeline_id,
       pipeline_name, pipeline_version, interactions.status, prompt, ui_schema, assigned_users, assigned_role, answers,
       decided_by, wake_at AS deadline_at, interactions.created_at, interactions.completed_at, interactions.sequence,
       data, on_timeout
  FROM interactions
  JOIN step_executions ON step_executions.step_execution_id = interactions.step_execution_id
  JOIN pipeline_executions ON pipeline_executions.execution_id = interactions.execution_id
 WHERE interactions.execution_id = :execution_id
   AND (NOT CAST(:awaited AS BOOLEAN) OR step_executions.status = 'waiting')
   AND (CAST(:within AS TEXT) IS NULL OR step_executions.within = :within)
   AND (CAST(:most_within AS INTEGER) IS NULL
        OR step_executions.within = ''
        OR interactions.interaction_id IN (
            SELECT interaction_id
              FROM interactions
             WHERE execution_id = :execution_id AND status = 'pending'
             ORDER BY interaction_id
             LIMIT COALESCE(CAST(:most_within AS INTEGER), 0)))
 ORDER BY interactions.interaction_id;

-- name: get_interaction
SELECT interactions.interaction_id, interactions.execution_id, interactions.step_execution_id, step_id, pipeline_id,
       pipeline_name, pipeline_version, interactions.status, prompt, ui_schema, assigned_users, assigned_role, answers,
       decided_by, wake_at AS deadline_at, interactions.created_at, interactions.completed_at, interactions.sequence,
       data, on_timeout,
       CASE WHEN COALESCE(CAST(data AS TEXT), 'null') IN ('null', '{}') THEN pipeline_executions.input_data END
           AS input_data
  FROM interactions
  JOIN step_executions ON step_executions.step_execution_id = interactions.step_execution_id
  JOIN pipeline_executions ON pipeline_executions.execution_id = interactions.execution_id
 WHERE interactions.interaction_id = :interaction_id;

-- name: list_responders
-- Who has answered a question, without what: the order of all that came.
SELECT interaction_id, actor, revision, NULL AS response, created_at AS answered_at
  FROM interaction_responses
 WHERE interaction_id = :interaction_id
 ORDER BY created_at, revision, actor;

-- name: list_responses
SELECT interaction_id, actor, revision, response, created_at AS answered_at
  FROM interaction_responses
 WHERE interaction_id = :interaction_id
 ORDER BY created_at, revision, actor;

-- name: list_pipelines
-- The newest execution of a pipeline is the one with the highest id: one look into the index for each.
SELECT pipelines.id, slug, name, description, current_version, is_active, pipelines.created_at, updated_at,
       execution_id AS last_execution_id, status AS last_status, pipeline_executions.created_at AS last_created_at
  FROM pipelines
  LEFT JOIN pipeline_executions
    ON execution_id = (SELECT execution_id
                         FROM pipeline_executions
                        WHERE pipeline_id = pipelines.id
                        ORDER BY execution_id DESC
                        LIMIT 1)
 ORDER BY slug;

-- name: get_pipeline
SELECT id, slug, name, description, current_version, is_active, created_at, updated_at
  FROM pipelines
 WHERE slug = :slug OR id = :id
 ORDER BY CASE WHEN slug = :slug THEN 0 ELSE 1 END
 LIMIT 1;

-- name: get_version_of_execution
-- The definition that an execution ran, and its input.
SELECT pipeline_versions.pipeline_id, version, definition, content_hash, source_folder, origin, author, note,
       pipeline_versions.created_at, input_data
  FROM pipeline_executions
  JOIN pipeline_versions ON pipeline_versions.pipeline_id = pipeline_executions.pipeline_id
   AND version = pipeline_version
 WHERE execution_id = :execution_id;

-- name: get_pipeline_version
SELECT pipeline_id, version, definition, content_hash, source_folder, origin, author, note, created_at
  FROM pipeline_versions
 WHERE pipeline_id = :pipeline_id
   AND version = COALESCE(
       CAST(:version AS INTEGER), (SELECT current_version FROM pipelines WHERE id = :pipeline_id));

-- name: read_output
-- Lines of level output after a cursor, of all levels.
SELECT lines.log_id, lines.execution_id, lines.within, lines.step_execution_id, step_id, iteration, attempt, logger,
       message, data, logged_at, lines.sequence
  FROM execution_logs AS lines
  LEFT JOIN step_executions ON step_executions.step_execution_id = lines.step_execution_id
 WHERE lines.execution_id = :execution_id
   AND lines.level = 'output'
   AND lines.sequence >= :cursor_sequence
   AND (lines.sequence > :cursor_sequence OR lines.log_id > :cursor_id)
 ORDER BY lines.sequence, lines.log_id
 LIMIT :limit;

-- name: read_output_of_attempt
-- The same of one attempt, whose lines have the same order by their ids.
SELECT lines.log_id, lines.execution_id, lines.within, lines.step_execution_id, step_id, iteration, attempt, logger,
       message, data, logged_at, lines.sequence
  FROM execution_logs AS lines
  JOIN step_executions ON step_executions.step_execution_id = lines.step_execution_id
 WHERE lines.step_execution_id = :step_execution_id
   AND lines.level = 'output'
   AND lines.sequence >= :cursor_sequence
   AND lines.log_id > :cursor_id
 ORDER BY lines.log_id
 LIMIT :limit;

-- name: read_status
SELECT execution_id, status FROM pipeline_executions WHERE execution_id = :execution_id;

-- name: read_status_of_attempt
SELECT status FROM step_executions WHERE step_execution_id = :step_execution_id AND execution_id = :execution_id;
