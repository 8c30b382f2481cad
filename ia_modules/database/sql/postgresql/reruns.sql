-- name: list_repeats
-- What repeats executions whose ids come as a JSON list: their re-runs, and the re-runs of those, newest first. Those that
-- failed or were cancelled only where they are in the list, too.
WITH RECURSIVE wanted (execution_id) AS (
    SELECT CAST(json_array_elements_text(CAST(:ids AS JSON)) AS UUID)
), repeats (execution_id, rerun_id) AS (
    SELECT rerun_of, pipeline_executions.execution_id
      FROM pipeline_executions
     WHERE rerun_of IN (SELECT execution_id FROM wanted)
  UNION
    SELECT repeats.execution_id, pipeline_executions.execution_id
      FROM repeats
      JOIN pipeline_executions ON pipeline_executions.rerun_of = rerun_id
)
SELECT repeats.execution_id, rerun_id, status, idempotency_key
  FROM repeats
  JOIN pipeline_executions ON pipeline_executions.execution_id = rerun_id
  LEFT JOIN execution_requests ON execution_requests.execution_id = rerun_id
 WHERE status NOT IN ('failed', 'cancelled') OR rerun_id IN (SELECT execution_id FROM wanted)
 ORDER BY repeats.execution_id, rerun_id DESC;

-- name: lock_repeated
-- Until the commit nobody else repeats it, if only one is to.
SELECT execution_id FROM pipeline_executions WHERE execution_id = :execution_id FOR NO KEY UPDATE;
