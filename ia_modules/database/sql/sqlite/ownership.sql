-- name: is_something_claimable
SELECT 1 AS found
  FROM pipeline_executions INDEXED BY executions_claimable
 WHERE status = 'pending'
   AND managed
   AND queue_key = ''
   AND (run_at IS NULL OR run_at <= ia_now())
   AND pipeline_id || ':' || COALESCE(pipeline_version, 0) NOT IN (SELECT value FROM json_each(:unusable))
 ORDER BY priority DESC, execution_id
 LIMIT 1;

-- name: claim
-- The writer's lock keeps everybody else out.
UPDATE pipeline_executions
   SET status = 'running', run_at = NULL, owner = :owner, epoch = epoch + 1, sequence = sequence + 1,
       started_at = COALESCE(started_at, ia_now())
 WHERE execution_id IN (
       SELECT execution_id
         FROM pipeline_executions INDEXED BY executions_claimable
        WHERE status = 'pending'
          AND managed
          AND queue_key = ''
          AND (run_at IS NULL OR run_at <= ia_now())
          AND pipeline_id || ':' || COALESCE(pipeline_version, 0) NOT IN (SELECT value FROM json_each(:unusable))
        ORDER BY priority DESC, execution_id
        LIMIT :limit)
RETURNING execution_id, epoch, pipeline_id, pipeline_version, pipeline_name;

-- name: lock_execution
-- The writer's lock keeps everybody else out.
SELECT execution_id FROM pipeline_executions WHERE execution_id = :execution_id;
