-- name: is_something_claimable
-- :here: what an attempt awaits that runs on the cluster which the asker is joined to; empty: it is joined to none.
SELECT 1 AS found
  FROM pipeline_executions
 WHERE status = 'pending'
   AND managed
   AND queue_key = ''
   AND pipeline_id || ':' || COALESCE(pipeline_version, 0)
       NOT IN (SELECT json_array_elements_text(CAST(:unusable AS JSON)))
   AND NOT EXISTS (SELECT 1
                     FROM step_executions AS elsewhere
                    WHERE elsewhere.execution_id = pipeline_executions.execution_id
                      AND elsewhere.status = 'running'
                      AND elsewhere.awaits IS NOT NULL
                      AND substr(elsewhere.awaits, 1, 4) = 'ray:'
                      AND elsewhere.awaits <> :here)
 ORDER BY priority DESC, execution_id
 LIMIT 1;

-- name: claim
-- Rows that somebody else has locked are theirs: nobody waits for anybody.
WITH next AS (
    SELECT execution_id
      FROM pipeline_executions
     WHERE status = 'pending'
       AND managed
       AND queue_key = ''
       AND pipeline_id || ':' || COALESCE(pipeline_version, 0)
           NOT IN (SELECT json_array_elements_text(CAST(:unusable AS JSON)))
       AND NOT EXISTS (SELECT 1
                         FROM step_executions AS elsewhere
                        WHERE elsewhere.execution_id = pipeline_executions.execution_id
                          AND elsewhere.status = 'running'
                          AND elsewhere.awaits IS NOT NULL
                          AND substr(elsewhere.awaits, 1, 4) = 'ray:'
                          AND elsewhere.awaits <> :here)
     ORDER BY priority DESC, execution_id
     LIMIT :limit
       FOR UPDATE SKIP LOCKED
)
UPDATE pipeline_executions AS claimed
   SET status = 'running', owner = :owner, epoch = epoch + 1, sequence = sequence + 1,
       started_at = COALESCE(started_at, ia_now())
  FROM next
 WHERE claimed.execution_id = next.execution_id
RETURNING claimed.execution_id, epoch, pipeline_id, pipeline_version, pipeline_name, input_data, rerun_of, overrides,
    traceparent, status, owner, recoveries, sequence, cancel_requested, total_steps, completed_steps, failed_steps, completed_at,
    (SELECT source_folder
       FROM pipeline_versions
      WHERE pipeline_versions.pipeline_id = claimed.pipeline_id AND version = pipeline_version);

-- name: next_due
-- The earliest time that a managed execution waits for.
SELECT run_at, ia_now() AS now
  FROM pipeline_executions
 WHERE run_at IS NOT NULL AND status IN ('waiting', 'waiting_for_human') AND managed
 ORDER BY run_at
 LIMIT 1;

-- name: wake_due
-- What transitions.WakeUp says, for all whose time has come. Rows that somebody else has locked are theirs.
WITH due AS (
    SELECT execution_id
      FROM pipeline_executions
     WHERE run_at <= (SELECT ia_now()) AND status IN ('waiting', 'waiting_for_human') AND managed
     ORDER BY run_at
     LIMIT :limit
       FOR UPDATE SKIP LOCKED
)
UPDATE pipeline_executions AS woken
   SET status = 'pending', run_at = NULL, sequence = sequence + 1
  FROM due
 WHERE woken.execution_id = due.execution_id
RETURNING woken.execution_id;

-- name: lock_execution
-- No row returned = somebody else has it locked, or it is gone.
SELECT execution_id FROM pipeline_executions WHERE execution_id = :execution_id FOR UPDATE SKIP LOCKED;

-- name: open_attempts
SELECT step_execution_id
  FROM step_executions
 WHERE step_execution_id IN (SELECT CAST(json_array_elements_text(CAST(:ids AS JSON)) AS UUID))
   AND completed_at IS NULL;
