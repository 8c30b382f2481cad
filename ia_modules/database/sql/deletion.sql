-- Deleting executions and pipelines. What has not ended stays, and what is pinned.

-- name: read_deletable
SELECT execution_id, status, pinned FROM pipeline_executions WHERE execution_id = :execution_id;

-- name: delete_execution
-- No row returned = there is none, or it is kept.
DELETE FROM pipeline_executions
 WHERE execution_id = :execution_id
   AND status IN ('completed', 'failed', 'cancelled')
   AND NOT pinned
RETURNING execution_id;

-- name: count_history_of_pipeline
SELECT COUNT(*) AS executions,
       COUNT(CASE WHEN status IN ('pending', 'running', 'waiting', 'waiting_for_human') THEN 1 END) AS active,
       COUNT(CASE WHEN pinned THEN 1 END) AS pinned
  FROM pipeline_executions
 WHERE pipeline_id = :pipeline_id;

-- name: delete_ended_executions
-- A part of a pipeline's history; all of it is deleted when nothing comes back.
DELETE FROM pipeline_executions
 WHERE execution_id IN (SELECT execution_id
                          FROM pipeline_executions
                         WHERE pipeline_id = :pipeline_id
                           AND status IN ('completed', 'failed', 'cancelled')
                           AND NOT pinned
                         ORDER BY execution_id
                         LIMIT :limit)
RETURNING execution_id;

-- name: delete_pipeline
DELETE FROM pipelines WHERE id = :pipeline_id;
