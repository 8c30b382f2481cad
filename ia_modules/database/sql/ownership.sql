-- Which executions change hands. What becomes of them is decided in transitions.py, and written as everything is; only
-- `claim`, in the folder of each dialect, is a decision and a write in one.

-- name: owned_executions
-- What an owner runs for the queue, as far as the records say.
SELECT execution_id, epoch, managed, recoveries, cancel_requested
  FROM pipeline_executions
 WHERE owner = :owner
   AND status IN ('running', 'waiting_for_human')
   AND status = 'running'
   AND managed;

-- name: stalled_executions
-- What runs by the records, but its owner has ended or been silent for longer than it said it would be.
SELECT execution_id, epoch, managed, recoveries, cancel_requested
  FROM pipeline_executions
  JOIN workers ON worker_id = owner
 WHERE status = 'running'
   AND owner <> :asker
   AND (stopped_at IS NOT NULL OR heartbeat_at < ia_now(-lease_seconds))
 ORDER BY execution_id
 LIMIT :limit;

-- name: overdue_executions
-- Those that wait for an answer whose time is over. Found by the newest deadlines that have passed: what waits may be
-- much more, and what no worker runs stays overdue for ever.
WITH overdue AS MATERIALIZED (
    SELECT execution_id
      FROM interactions
     WHERE status = 'pending' AND deadline_at <= (SELECT ia_now())
     ORDER BY deadline_at DESC, interaction_id DESC
     LIMIT 1000
)
SELECT DISTINCT execution_id
  FROM overdue
  JOIN pipeline_executions USING (execution_id)
 WHERE status = 'waiting_for_human' AND managed
 ORDER BY execution_id
 LIMIT :limit;
