-- The runs of one level, each as its latest attempt stands. A level may have 100,000: {conditions} say what of it is read.
-- With a status other than 'completed' they name the rule of the index runs_not_completed word for word, so that it is used.

-- name: list_runs
-- Those after :step_id and :iteration, by their step and their number.
SELECT step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
       worker, wake_at, awaits, effect, routes, error_type, error_message, progress, progress_message, copied_from,
       input_tokens, output_tokens, cost_micros, unpriced_calls, usage, first_token_ms,
       cluster, node, pid, resources, waited_seconds,
       input_bytes, output_bytes, sequence, created_at, started_at, completed_at
  FROM step_executions AS run
  LEFT JOIN step_places USING (step_execution_id)
 WHERE execution_id = :execution_id
   AND within = :within
   AND (step_id, iteration) > (:step_id, :iteration)
   AND {conditions}
   AND NOT EXISTS (SELECT 1
                     FROM step_executions AS later
                    WHERE later.execution_id = run.execution_id
                      AND later.within = run.within
                      AND later.step_id = run.step_id
                      AND later.iteration = run.iteration
                      AND later.attempt > run.attempt)
 ORDER BY step_id, iteration
 LIMIT :limit;

-- name: count_runs
SELECT COUNT(*) AS runs
  FROM (SELECT DISTINCT step_id, iteration
          FROM step_executions
         WHERE execution_id = :execution_id AND within = :within) AS counted;

-- name: count_runs_not_completed
SELECT status, COUNT(*) AS runs
  FROM step_executions AS run
 WHERE execution_id = :execution_id
   AND within = :within
   AND {conditions}
   AND NOT EXISTS (SELECT 1
                     FROM step_executions AS later
                    WHERE later.execution_id = run.execution_id
                      AND later.within = run.within
                      AND later.step_id = run.step_id
                      AND later.iteration = run.iteration
                      AND later.attempt > run.attempt)
 GROUP BY status;

-- name: list_levels
-- The runs of the graph that have something within them: from each to the next, past all that is within it. What is
-- within a run begins with its path and a '/'; the character behind that is '0'.
WITH RECURSIVE level (within) AS (
    SELECT MIN(within) FROM step_executions WHERE execution_id = :execution_id AND within > ''
    UNION ALL
    SELECT (SELECT MIN(within)
              FROM step_executions
             WHERE execution_id = :execution_id AND within >= level.within || '0')
      FROM level
     WHERE level.within IS NOT NULL
)
SELECT within FROM level WHERE within IS NOT NULL LIMIT :limit;

-- name: get_map
-- For how many items a run of the graph runs, as any of its attempts says; and the execution's sequence.
SELECT sequence,
       (SELECT MAX(CAST(input_refs ->> 'items' AS INTEGER))
          FROM step_executions
         WHERE execution_id = :execution_id AND within = '' AND step_id = :step_id AND iteration = :iteration) AS items
  FROM pipeline_executions
 WHERE execution_id = :execution_id;

-- name: count_items
-- How many of each :per_square items have begun.
SELECT (iteration - 1) / :per_square AS square, COUNT(DISTINCT iteration) AS runs
  FROM step_executions
 WHERE execution_id = :execution_id AND within = :within AND step_id = :step_id
 GROUP BY square;

-- name: count_items_not_completed
-- How many of each :per_square items stand how, but for those that have completed.
SELECT (iteration - 1) / :per_square AS square, status, COUNT(*) AS runs
  FROM step_executions AS run
 WHERE execution_id = :execution_id
   AND within = :within
   AND step_id = :step_id
   AND within <> '' AND status <> 'completed'
   AND NOT EXISTS (SELECT 1
                     FROM step_executions AS later
                    WHERE later.execution_id = run.execution_id
                      AND later.within = run.within
                      AND later.step_id = run.step_id
                      AND later.iteration = run.iteration
                      AND later.attempt > run.attempt)
 GROUP BY square, status;
