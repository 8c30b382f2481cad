-- What is written of executions as spans, and how far that has come (ia_modules/tracker/tracing.py).

-- name: traced_execution
-- How an execution stands, and what of it has been handed on. What came from a run file has its trace elsewhere.
SELECT e.execution_id, e.pipeline_name, e.pipeline_version, e.status, e.trigger, e.sequence, e.traceparent, e.reopened,
       e.rerun_of, e.error_type, e.error_message, e.input_tokens, e.output_tokens, e.cost_micros, e.created_at,
       e.started_at, e.completed_at,
       (SELECT traceparent FROM pipeline_executions AS repeated WHERE repeated.execution_id = e.rerun_of)
           AS rerun_traceparent,
       CASE WHEN CAST(:payloads AS BOOLEAN) THEN e.input_data END AS input_data,
       CASE WHEN CAST(:payloads AS BOOLEAN) THEN e.output_data END AS output_data,
       COALESCE(exported, 0) AS exported, COALESCE(upto, 0) AS upto, COALESCE(ended, 0) AS ended, writer
  FROM pipeline_executions AS e
  LEFT JOIN execution_traces AS t ON t.execution_id = e.execution_id
 WHERE e.execution_id = :execution_id
   AND NOT EXISTS (SELECT 1 FROM imported_executions AS imported WHERE imported.execution_id = e.execution_id);

-- name: ended_attempts
-- Those that have ended after a sequence, at all levels, in the order in which they did. A copy has its span elsewhere.
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, status, worker, effect,
       input_refs, error_type, error_message, usage, first_token_ms, sequence, created_at, started_at, completed_at,
       CASE WHEN CAST(:payloads AS BOOLEAN) THEN traceback END AS traceback,
       CASE WHEN CAST(:payloads AS BOOLEAN) THEN input_data END AS input_data,
       CASE WHEN CAST(:payloads AS BOOLEAN) THEN output_data END AS output_data
  FROM step_executions
 WHERE execution_id = :execution_id
   AND sequence > :after
   AND sequence <= :upto
   AND completed_at IS NOT NULL
   AND copied_from IS NULL
 ORDER BY sequence
 LIMIT :limit;

-- name: attempts_of_run
SELECT execution_id, within, step_id, iteration, step_execution_id, attempt, created_at
  FROM step_executions
 WHERE execution_id = :execution_id AND within = :within AND step_id = :step_id AND iteration = :iteration
 ORDER BY attempt;

-- name: went_on_at
-- When the first attempt was made after an execution had ended badly.
SELECT MIN(created_at) AS again_at
  FROM step_executions
 WHERE execution_id = :execution_id AND within = '' AND sequence > :reopened AND copied_from IS NULL;

-- name: take_trace
-- The writer hands on what has ended up to a sequence. No row returned = somebody else has taken it since it was read.
INSERT INTO execution_traces (execution_id, exported, upto, ended, writer)
VALUES (:execution_id, 0, :upto, 0, :writer)
ON CONFLICT (execution_id) DO UPDATE
   SET upto = :upto, writer = :writer
 WHERE execution_traces.exported = :known_exported
   AND execution_traces.upto = :known_upto
RETURNING execution_id;

-- name: mark_traced
-- What was taken has been handed on.
UPDATE execution_traces
   SET exported = :upto, ended = CASE WHEN CAST(:has_ended AS BOOLEAN) THEN :upto ELSE ended END
 WHERE execution_id = :execution_id AND upto = :upto AND writer = :writer;

-- name: traces_under_way
-- What others have taken and not handed on.
SELECT execution_id
  FROM execution_traces
 WHERE exported < upto AND writer <> :writer
 LIMIT :limit;
