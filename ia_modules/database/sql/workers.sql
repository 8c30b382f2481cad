-- What workers tell of themselves, and what they find to do. Claiming itself is in the folder of each dialect.

-- name: beat
-- One sign of life; the first one makes the row.
INSERT INTO workers (worker_id, host, pid, version, slots, note, lease_seconds, started_at, heartbeat_at)
VALUES (:worker_id, :host, :pid, :version, :slots, :note, :lease_seconds, ia_now(), ia_now())
ON CONFLICT (worker_id) DO UPDATE
   SET slots = excluded.slots, note = excluded.note, heartbeat_at = excluded.heartbeat_at, stopped_at = NULL;

-- name: liveness
-- The heartbeat row of one process. No row = it has never given a sign of life.
SELECT lease_seconds, heartbeat_at, stopped_at, ia_now() AS now FROM workers WHERE worker_id = :owner;

-- name: stop_worker
UPDATE workers SET stopped_at = ia_now(), heartbeat_at = ia_now() WHERE worker_id = :worker_id;

-- name: forget_workers
-- Those that ended days ago and have left nothing behind.
DELETE FROM workers
 WHERE heartbeat_at < (SELECT ia_now(-259200))
   AND NOT EXISTS (
       SELECT 1
         FROM pipeline_executions
        WHERE owner = worker_id AND status IN ('running', 'waiting_for_human') AND status = 'running');

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

-- name: recover_execution
-- Back into the queue, where whoever claims it goes on with it, or to its end. No row returned = it has ended, somebody
-- else was faster, or its owner is heard again.
UPDATE pipeline_executions
   SET status = :status,
       owner = CASE WHEN CAST(:ended AS BOOLEAN) THEN owner END,
       epoch = epoch + 1,
       sequence = sequence + 1,
       recoveries = recoveries + :recovered,
       error_type = COALESCE(:error_type, error_type),
       error_message = COALESCE(:error_message, error_message),
       completed_at = CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now() END
 WHERE execution_id = :execution_id
   AND epoch = :epoch
   AND status = 'running'
   AND (owner = :asker OR NOT EXISTS (
       SELECT 1
         FROM workers
        WHERE worker_id = owner AND stopped_at IS NULL AND heartbeat_at >= ia_now(-lease_seconds)))
RETURNING execution_id, sequence;

-- name: lose_steps
UPDATE step_executions
   SET status = 'lost', sequence = :sequence, error_type = :error_type, error_message = :error_message,
       completed_at = ia_now()
 WHERE execution_id = :execution_id
   AND status IN ('pending', 'running');

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

-- name: wake_overdue_execution
UPDATE pipeline_executions
   SET status = 'pending', sequence = sequence + 1
 WHERE execution_id = :execution_id
   AND status = 'waiting_for_human';
