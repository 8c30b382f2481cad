-- name: hints
-- Where executions stand whose ids come as a JSON list. No row for one that is not there (any more).
SELECT execution_id, sequence, status
  FROM pipeline_executions
 WHERE execution_id IN (SELECT CAST(json_array_elements_text(CAST(:ids AS JSON)) AS UUID));
