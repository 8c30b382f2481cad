-- name: count_pipeline_steps
SELECT pipeline_id, COALESCE(json_array_length(definition, '$.steps'), 0) AS steps
  FROM pipeline_versions
 WHERE pipeline_id = :pipeline_id AND version = :version;
