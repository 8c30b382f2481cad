-- What processes that own executions say of themselves.

-- name: beat
-- One sign of life; the first one makes the row.
INSERT INTO workers (worker_id, host, pid, version, slots, note, lease_seconds, started_at, heartbeat_at)
VALUES (:worker_id, :host, :pid, :version, :slots, :note, :lease_seconds, ia_now(), ia_now())
ON CONFLICT (worker_id) DO UPDATE
   SET slots = excluded.slots, note = excluded.note, heartbeat_at = excluded.heartbeat_at, stopped_at = NULL;

-- name: tell_cluster
-- Which Ray cluster it has joined, and how that stands. No row returned = it has given no sign of life so far.
UPDATE workers SET cluster = :cluster WHERE worker_id = :worker_id RETURNING worker_id;

-- name: liveness
-- The heartbeat row of one process. No row = it has never given a sign of life.
SELECT lease_seconds, heartbeat_at, stopped_at, ia_now() AS now FROM workers WHERE worker_id = :owner;

-- name: beats
-- Of the other processes that live by this clock. One whose last beat lies ahead of it would do so for too long.
SELECT worker_id, heartbeat_at, lease_seconds
  FROM workers
 WHERE worker_id <> :asker AND stopped_at IS NULL AND heartbeat_at >= ia_now(-lease_seconds);

-- name: declare_gone
UPDATE workers
   SET stopped_at = ia_now()
 WHERE worker_id = :worker_id AND heartbeat_at = :heartbeat_at AND stopped_at IS NULL;

-- name: stop_worker
UPDATE workers SET stopped_at = ia_now(), heartbeat_at = ia_now() WHERE worker_id = :worker_id;

-- name: forget_workers
-- Those that ended days ago and have left nothing behind, looked for one by one.
DELETE FROM workers
 WHERE heartbeat_at < (SELECT ia_now(-259200))
   AND (SELECT execution_id FROM pipeline_executions WHERE owner = worker_id AND status = 'running' LIMIT 1) IS NULL;
