-- Which executions change hands. What becomes of them is decided in ownership.py, and written as everything is; only
-- `claim`, in the folder of each dialect, is a decision and a write in one.

-- name: owned_executions
-- What an owner runs for the queue, as far as the records say.
SELECT execution_id, epoch, managed, recoveries, cancel_requested,
       EXISTS (SELECT 1
                 FROM step_executions AS attempt
                WHERE attempt.execution_id = pipeline_executions.execution_id
                  AND attempt.status = 'running'
                  AND attempt.awaits IS NOT NULL
                  AND substr(attempt.awaits, 1, 4) = 'ray:') AS is_elsewhere
  FROM pipeline_executions
 WHERE owner = :owner
   AND status = 'running'
   AND managed;

-- name: stalled_executions
-- What runs by the records, but its owner has ended or been silent for longer than it said it would be.
SELECT execution_id, epoch, managed, recoveries, cancel_requested,
       EXISTS (SELECT 1
                 FROM step_executions AS attempt
                WHERE attempt.execution_id = pipeline_executions.execution_id
                  AND attempt.status = 'running'
                  AND attempt.awaits IS NOT NULL
                  AND substr(attempt.awaits, 1, 4) = 'ray:') AS is_elsewhere
  FROM pipeline_executions
  JOIN workers ON worker_id = owner
 WHERE status = 'running'
   AND owner <> :asker
   AND (stopped_at IS NOT NULL OR heartbeat_at < ia_now(-lease_seconds))
 ORDER BY execution_id
 LIMIT :limit;

-- name: left_to_clusters
-- What waits for a worker, and has an attempt on a Ray cluster that the asker is not joined to; :here as in `claim`. For
-- SQLite, CROSS says that the few attempts come first, and not the queue.
SELECT step_executions.execution_id, step_id, awaits
  FROM step_executions
 CROSS JOIN pipeline_executions
 WHERE pipeline_executions.execution_id = step_executions.execution_id
   AND step_executions.status = 'running'
   AND awaits IS NOT NULL
   AND substr(awaits, 1, 4) = 'ray:'
   AND awaits <> :here
   AND pipeline_executions.status = 'pending'
   AND managed
 LIMIT 1;

-- name: left_executions
-- What programs of their own run of a pipeline, with the heartbeats of their processes; and what ended since its process
-- was lost, with none. What was never heard of is left out, as nothing would ever tell that it is gone; and so are copies.
SELECT execution_id, epoch, owner, content_hash, cancel_requested,
       CASE WHEN status = 'running' THEN lease_seconds END AS lease_seconds,
       CASE WHEN status = 'running' THEN heartbeat_at END AS heartbeat_at,
       CASE WHEN status = 'running' THEN stopped_at END AS stopped_at,
       ia_now() AS now
  FROM pipeline_executions
  LEFT JOIN workers ON worker_id = owner
  LEFT JOIN pipeline_versions
         ON pipeline_versions.pipeline_id = pipeline_executions.pipeline_id
        AND pipeline_versions.version = pipeline_version
 WHERE pipeline_executions.pipeline_id = (SELECT id FROM pipelines WHERE slug = :slug)
   AND status IN ('running', 'failed')
   AND NOT managed
   AND pipeline_executions.execution_id NOT IN (SELECT execution_id FROM imported_executions)
   AND (status = 'failed' AND error_type = 'ProcessLost'
        OR status = 'running' AND owner <> :asker AND worker_id IS NOT NULL)
 ORDER BY execution_id
 LIMIT :limit;

-- name: made_at
-- When this database was made; its copies say the same.
SELECT applied_at FROM ia_migrations ORDER BY version LIMIT 1;
