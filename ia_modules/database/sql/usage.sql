-- Sums of what attempts have told of their calls of models. steps_with_usage has those that have told something.

-- name: sum_usage
-- Of the attempts that began in a window, by their ids; without copies from run files.
SELECT SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens, SUM(cost_micros) AS cost_micros,
       SUM(unpriced_calls) AS unpriced_calls, MIN(created_at) AS first_start
  FROM step_executions
 WHERE usage IS NOT NULL
   AND step_execution_id >= :first_id
   AND step_execution_id < :end_id
   AND (:pipeline_id = (SELECT pipeline_id
                          FROM pipeline_executions AS around
                         WHERE around.execution_id = step_executions.execution_id)
        OR :pipeline_id IS NULL)
   AND execution_id NOT IN (SELECT execution_id FROM imported_executions);
