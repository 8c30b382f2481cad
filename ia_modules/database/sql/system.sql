-- The machine room: what waits, what runs, who works.

-- name: measure_queue
-- Only what a worker may claim is in the queue. Each number is counted up to :cap.
SELECT (SELECT COUNT(*)
          FROM (SELECT 1 FROM pipeline_executions WHERE status = 'pending' AND managed LIMIT :cap) AS found) AS pending,
       (SELECT COUNT(*)
          FROM (SELECT 1 FROM pipeline_executions WHERE status = 'running' LIMIT :cap) AS found) AS running,
       (SELECT COUNT(*)
          FROM (SELECT 1 FROM pipeline_executions WHERE status = 'waiting' LIMIT :cap) AS found) AS waiting,
       (SELECT COUNT(*)
          FROM (SELECT 1 FROM pipeline_executions WHERE status = 'waiting_for_human' LIMIT :cap) AS found)
           AS waiting_for_human,
       (SELECT created_at
          FROM pipeline_executions
         WHERE status = 'pending' AND managed
         ORDER BY execution_id
         LIMIT 1) AS oldest_pending_at,
       ia_now() AS now;

-- name: list_workers
-- Whose heart beat last comes first.
SELECT worker_id, host, pid, version, slots, note, lease_seconds, started_at, heartbeat_at, stopped_at, ia_now() AS now,
       (SELECT COUNT(*)
          FROM pipeline_executions
         WHERE owner = worker_id AND status = 'running') AS running
  FROM workers
 ORDER BY heartbeat_at DESC, worker_id DESC
 LIMIT :limit;
