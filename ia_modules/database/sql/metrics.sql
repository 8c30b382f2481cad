-- Numbers about many executions, without copies from run files. A window holds those that started in it, wherever they
-- stand now; it is found by the index executions_by_start, which has all that counting asks for. So that SQLite, which
-- often knows nothing of how much there is of what, does not begin elsewhere, that an execution has ended is said as
-- NOT IN, and what belongs to it is joined by CROSS JOIN, whose order SQLite keeps; to PostgreSQL that is all the same.
-- Percentiles are by nearest rank: the smallest value that so many of all do not exceed. A parameter that may be NULL
-- is compared before it is asked for NULL: so PostgreSQL knows its type.

-- name: read_now
SELECT ia_now() AS now;

-- name: read_first_start
SELECT MIN(started_at) AS first_start
  FROM pipeline_executions
 WHERE started_at >= :since
   AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
   AND execution_id NOT IN (SELECT execution_id FROM imported_executions);

-- name: count_window
-- With COALESCE around the id, SQLite does not prefer an index that has the groups in order, and every row to be read.
SELECT id AS pipeline_id, name AS pipeline_name, status, executions
  FROM (SELECT COALESCE(pipeline_id, NULL) AS counted_id, status, COUNT(*) AS executions
          FROM pipeline_executions
         WHERE started_at >= :since
           AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
           AND execution_id NOT IN (SELECT execution_id FROM imported_executions)
         GROUP BY counted_id, status) AS counted
  JOIN pipelines ON id = counted_id;

-- name: count_window_retries
-- An attempt is a retry when the one before it failed (not when that was lost with its process); a program that records
-- itself says how often it tried inside an attempt.
SELECT COALESCE(SUM(again.retry_count + CASE WHEN (
           SELECT before.status
             FROM step_executions AS before
            WHERE before.execution_id = again.execution_id AND before.within = '' AND before.step_id = again.step_id
              AND before.iteration = again.iteration AND before.attempt = again.attempt - 1) = 'failed'
           THEN 1 ELSE 0 END), 0) AS retries
  FROM pipeline_executions AS execution
       CROSS JOIN step_executions AS again
 WHERE execution.started_at >= :since
   AND (execution.pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
   AND execution.execution_id NOT IN (SELECT execution_id FROM imported_executions)
   AND execution.status NOT IN ('pending', 'running', 'waiting', 'waiting_for_human')
   AND again.execution_id = execution.execution_id
   AND again.within = ''
   AND (again.attempt > 1 OR again.retry_count > 0);

-- name: count_window_interventions
SELECT COUNT(*) AS interventions
  FROM pipeline_executions AS execution
 WHERE started_at >= :since
   AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
   AND execution_id NOT IN (SELECT execution_id FROM imported_executions)
   AND status NOT IN ('pending', 'running', 'waiting', 'waiting_for_human')
   AND EXISTS (
       SELECT 1 FROM interactions WHERE interactions.execution_id = execution.execution_id AND carried_from IS NULL);

-- name: time_window
-- How long the newest took: of each pipeline, and of all (pipeline_id NULL).
WITH newest AS (
    SELECT pipeline_id, status, seconds
      FROM execution_times
     WHERE started_at >= :since
       AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
       AND execution_id NOT IN (SELECT execution_id FROM imported_executions)
     ORDER BY started_at DESC, execution_id DESC
     LIMIT :limit),
shown AS (
    SELECT pipeline_id, seconds FROM newest WHERE status = 'completed'
     UNION ALL
    SELECT NULL, seconds FROM newest WHERE status = 'completed'),
placed AS (
    SELECT pipeline_id, seconds,
           ROW_NUMBER() OVER (PARTITION BY pipeline_id ORDER BY seconds) AS place,
           COUNT(*) OVER (PARTITION BY pipeline_id) AS executions
      FROM shown)
SELECT pipeline_id, COUNT(*) AS executions, AVG(seconds) AS mean_seconds,
       MIN(seconds) FILTER (WHERE place >= 0.50 * executions) AS p50_seconds,
       MIN(seconds) FILTER (WHERE place >= 0.95 * executions) AS p95_seconds,
       MIN(seconds) FILTER (WHERE place >= 0.99 * executions) AS p99_seconds
  FROM placed
 GROUP BY pipeline_id;

-- name: time_window_steps
-- A step run is all attempts of one iteration; it ended when its last attempt completed or failed. It was made good for
-- when that completed by its fallback (the failure stands beside the result) or failed and led on all the same.
WITH newest AS (
    SELECT execution_id, pipeline_id
      FROM pipeline_executions
     WHERE started_at >= :since
       AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
       AND execution_id NOT IN (SELECT execution_id FROM imported_executions)
     ORDER BY started_at DESC, execution_id DESC
     LIMIT :limit),
attempts AS (
    SELECT pipeline_id, step_id, status, seconds, retry_count,
           LAG(status) OVER attempt_by_attempt AS status_before,
           LEAD(status) OVER attempt_by_attempt IS NULL AND status IN ('completed', 'failed') AS ended,
           (status = 'completed' AND error_message IS NOT NULL)
           OR (status = 'failed' AND routes ->> 'next' = 'paths') AS made_good
      FROM newest
           CROSS JOIN step_times
     WHERE step_times.execution_id = newest.execution_id
    WINDOW attempt_by_attempt AS (PARTITION BY step_times.execution_id, step_id, iteration ORDER BY attempt)),
placed AS (
    SELECT pipeline_id, step_id, status, seconds, retry_count, status_before, ended, made_good,
           ROW_NUMBER() OVER (PARTITION BY pipeline_id, step_id, ended ORDER BY seconds) AS place,
           COUNT(*) OVER (PARTITION BY pipeline_id, step_id, ended) AS runs
      FROM attempts)
SELECT step_id, pipeline_id, name AS pipeline_name,
       COUNT(*) FILTER (WHERE ended) AS runs,
       COUNT(*) FILTER (WHERE ended AND placed.status = 'failed') AS failed,
       COUNT(*) FILTER (WHERE ended AND made_good) AS made_good,
       SUM(retry_count) + COUNT(*) FILTER (WHERE status_before = 'failed') AS retries,
       MIN(seconds) FILTER (WHERE ended AND place >= 0.50 * runs) AS p50_seconds,
       MIN(seconds) FILTER (WHERE ended AND place >= 0.95 * runs) AS p95_seconds
  FROM placed
  JOIN pipelines ON id = pipeline_id
 GROUP BY step_id, pipeline_id, name;

-- name: measure_bucket
-- Of the executions that started in one part of a window: how they stand, and how long the newest took.
WITH bucket AS (
    SELECT execution_id, status
      FROM pipeline_executions
     WHERE started_at >= :start AND started_at < :end
       AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
       AND execution_id NOT IN (SELECT execution_id FROM imported_executions)),
counted AS (
    SELECT COUNT(*) AS started,
           COUNT(*) FILTER (WHERE status = 'completed') AS completed,
           COUNT(*) FILTER (WHERE status = 'failed') AS failed,
           COUNT(*) FILTER (WHERE status = 'cancelled') AS cancelled
      FROM bucket),
newest AS (
    SELECT status, seconds
      FROM execution_times
     WHERE started_at >= :start AND started_at < :end
       AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
       AND execution_id NOT IN (SELECT execution_id FROM imported_executions)
     ORDER BY started_at DESC, execution_id DESC
     LIMIT :limit),
placed AS (
    SELECT seconds, ROW_NUMBER() OVER (ORDER BY seconds) AS place, COUNT(*) OVER () AS executions
      FROM newest
     WHERE status = 'completed'),
timed AS (
    SELECT MIN(seconds) FILTER (WHERE place >= 0.50 * executions) AS p50_seconds,
           MIN(seconds) FILTER (WHERE place >= 0.95 * executions) AS p95_seconds
      FROM placed),
retried AS (
    SELECT COALESCE(SUM(again.retry_count + CASE WHEN (
               SELECT before.status
                 FROM step_executions AS before
                WHERE before.execution_id = again.execution_id AND before.within = '' AND before.step_id = again.step_id
                  AND before.iteration = again.iteration AND before.attempt = again.attempt - 1) = 'failed'
               THEN 1 ELSE 0 END), 0) AS retries
      FROM bucket
           CROSS JOIN step_executions AS again
     WHERE bucket.status NOT IN ('pending', 'running', 'waiting', 'waiting_for_human')
       AND again.execution_id = bucket.execution_id
       AND again.within = ''
       AND (again.attempt > 1 OR again.retry_count > 0)),
questions AS (
    SELECT COUNT(*) AS human_interventions
      FROM bucket
     WHERE status NOT IN ('pending', 'running', 'waiting', 'waiting_for_human')
       AND EXISTS (
           SELECT 1 FROM interactions WHERE interactions.execution_id = bucket.execution_id AND carried_from IS NULL))
SELECT started, completed, failed, cancelled, p50_seconds, p95_seconds, retries, human_interventions
  FROM counted, timed, retried, questions;
