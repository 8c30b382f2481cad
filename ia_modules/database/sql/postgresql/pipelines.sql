-- name: count_pipeline_steps
SELECT pipeline_id,
       CASE WHEN json_typeof(definition -> 'steps') = 'array' THEN json_array_length(definition -> 'steps') ELSE 0 END AS steps
  FROM pipeline_versions
 WHERE pipeline_id = :pipeline_id AND version = :version;
