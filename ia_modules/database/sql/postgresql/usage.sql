-- What attempts have told of their calls of models, by model: each has a list of entries as JSON.

-- name: usage_of_execution
-- At all its levels.
SELECT entry ->> 'gen_ai.request.model' AS model, entry ->> 'gen_ai.provider.name' AS provider,
       SUM(CAST(entry ->> 'calls' AS BIGINT)) AS calls,
       SUM(CAST(entry ->> 'gen_ai.usage.input_tokens' AS BIGINT)) AS input_tokens,
       SUM(CAST(entry ->> 'gen_ai.usage.output_tokens' AS BIGINT)) AS output_tokens,
       SUM(CAST(entry ->> 'gen_ai.usage.cache_read.input_tokens' AS BIGINT)) AS cached_tokens,
       SUM(CAST(entry ->> 'gen_ai.usage.reasoning.output_tokens' AS BIGINT)) AS reasoning_tokens,
       SUM(CAST(entry ->> 'cost.micros' AS BIGINT)) AS cost_micros,
       SUM(CASE WHEN entry ->> 'cost.source' = 'unknown' THEN CAST(entry ->> 'calls' AS BIGINT) ELSE 0 END) AS unpriced_calls
  FROM step_executions, json_array_elements(usage) AS entry
 WHERE execution_id = :execution_id AND usage IS NOT NULL
 GROUP BY 1, 2
 ORDER BY SUM(CAST(entry ->> 'cost.micros' AS BIGINT)) DESC NULLS LAST, calls DESC, model
 LIMIT :limit;

-- name: usage_of_window
-- Of the attempts that began in a window, by their ids; without copies from run files.
SELECT entry ->> 'gen_ai.request.model' AS model, entry ->> 'gen_ai.provider.name' AS provider,
       SUM(CAST(entry ->> 'calls' AS BIGINT)) AS calls,
       SUM(CAST(entry ->> 'gen_ai.usage.input_tokens' AS BIGINT)) AS input_tokens,
       SUM(CAST(entry ->> 'gen_ai.usage.output_tokens' AS BIGINT)) AS output_tokens,
       SUM(CAST(entry ->> 'gen_ai.usage.cache_read.input_tokens' AS BIGINT)) AS cached_tokens,
       SUM(CAST(entry ->> 'gen_ai.usage.reasoning.output_tokens' AS BIGINT)) AS reasoning_tokens,
       SUM(CAST(entry ->> 'cost.micros' AS BIGINT)) AS cost_micros,
       SUM(CASE WHEN entry ->> 'cost.source' = 'unknown' THEN CAST(entry ->> 'calls' AS BIGINT) ELSE 0 END) AS unpriced_calls
  FROM step_executions, json_array_elements(usage) AS entry
 WHERE usage IS NOT NULL
   AND step_execution_id >= :first_id
   AND step_execution_id < :end_id
   AND (:pipeline_id = (SELECT pipeline_id
                          FROM pipeline_executions AS around
                         WHERE around.execution_id = step_executions.execution_id)
        OR :pipeline_id IS NULL)
   AND execution_id NOT IN (SELECT execution_id FROM imported_executions)
 GROUP BY 1, 2
 ORDER BY SUM(CAST(entry ->> 'cost.micros' AS BIGINT)) DESC NULLS LAST, calls DESC, model
 LIMIT :limit;
