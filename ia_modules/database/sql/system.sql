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

-- name: list_joined
-- The clusters that workers have joined which are alive; what was written last comes first, as far as is known.
SELECT cluster
  FROM workers
 WHERE cluster IS NOT NULL AND stopped_at IS NULL AND heartbeat_at >= ia_now(-lease_seconds)
 ORDER BY heartbeat_at DESC, worker_id DESC
 LIMIT :limit;

-- name: list_held
-- Attempts that run on a cluster now, those that began first come first. Those that outlive their owner are found
-- however old they are, by steps_elsewhere; items of maps, which do not, among the :newest that were placed.
SELECT execution_id, pipeline_name, step_execution_id, step.within, step.step_id, step.step_name, step.iteration,
       step_places.cluster, node, pid, resources, waited_seconds, step.started_at
  FROM (SELECT step_execution_id FROM step_executions WHERE status = 'running' AND awaits IS NOT NULL
         UNION
        SELECT step_execution_id
          FROM (SELECT step_execution_id
                  FROM step_places
                 ORDER BY step_execution_id DESC
                 LIMIT :newest) AS placed) AS maybe
  JOIN step_places USING (step_execution_id)
  JOIN step_executions AS step USING (step_execution_id)
  JOIN pipeline_executions USING (execution_id)
 WHERE step.status = 'running'
 ORDER BY step_execution_id
 LIMIT :limit;

-- name: list_workers
-- Whose heart beat last comes first.
SELECT worker_id, host, pid, version, slots, note, lease_seconds, started_at, heartbeat_at, stopped_at, ia_now() AS now,
       (SELECT COUNT(*)
          FROM pipeline_executions
         WHERE owner = worker_id AND status = 'running') AS running
  FROM workers
 ORDER BY heartbeat_at DESC, worker_id DESC
 LIMIT :limit;
