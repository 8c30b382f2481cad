-- name: measure_database
SELECT sqlite_version() AS version, page_count * page_size AS size_bytes
  FROM pragma_page_count(), pragma_page_size();

-- name: measure_tables
-- Rows as the highest number that one has: nothing is counted, and what was deleted may count. To know a table's bytes,
-- SQLite must read the whole file: only of a small one.
WITH sized AS (
    SELECT tbl_name, SUM(pgsize) AS bytes
      FROM dbstat
      JOIN sqlite_schema ON sqlite_schema.name = dbstat.name
     WHERE aggregate = TRUE AND (SELECT page_count FROM pragma_page_count()) <= 10000
     GROUP BY tbl_name),
numbered AS (
    SELECT 'pipelines' AS name, (SELECT MAX(rowid) FROM pipelines) AS rows
     UNION ALL SELECT 'pipeline_versions', (SELECT MAX(rowid) FROM pipeline_versions)
     UNION ALL SELECT 'pipeline_executions', (SELECT MAX(rowid) FROM pipeline_executions)
     UNION ALL SELECT 'execution_aliases', (SELECT MAX(rowid) FROM execution_aliases)
     UNION ALL SELECT 'execution_requests', (SELECT MAX(rowid) FROM execution_requests)
     UNION ALL SELECT 'execution_attributes', (SELECT MAX(rowid) FROM execution_attributes)
     UNION ALL SELECT 'failure_groups', (SELECT MAX(rowid) FROM failure_groups)
     UNION ALL SELECT 'imported_executions', (SELECT MAX(rowid) FROM imported_executions)
     UNION ALL SELECT 'execution_traces', (SELECT MAX(rowid) FROM execution_traces)
     UNION ALL SELECT 'step_executions', (SELECT MAX(rowid) FROM step_executions)
     UNION ALL SELECT 'step_places', (SELECT MAX(rowid) FROM step_places)
     UNION ALL SELECT 'execution_logs', (SELECT MAX(rowid) FROM execution_logs)
     UNION ALL SELECT 'interactions', (SELECT MAX(rowid) FROM interactions)
     UNION ALL SELECT 'interaction_responses', (SELECT MAX(rowid) FROM interaction_responses)
     UNION ALL SELECT 'events', (SELECT MAX(rowid) FROM events)
     UNION ALL SELECT 'event_receipts', (SELECT MAX(rowid) FROM event_receipts)
     UNION ALL SELECT 'triggers', (SELECT MAX(rowid) FROM triggers)
     UNION ALL SELECT 'limits', (SELECT MAX(rowid) FROM limits)
     UNION ALL SELECT 'holds', (SELECT MAX(rowid) FROM holds)
     UNION ALL SELECT 'workers', (SELECT MAX(rowid) FROM workers)
     UNION ALL SELECT 'audit_log', (SELECT MAX(rowid) FROM audit_log)
     UNION ALL SELECT 'ia_migrations', (SELECT MAX(rowid) FROM ia_migrations))
SELECT sqlite_schema.name, COALESCE(rows, CASE WHEN numbered.name IS NOT NULL THEN 0 END) AS rows, bytes
  FROM sqlite_schema
  LEFT JOIN numbered ON numbered.name = sqlite_schema.name
  LEFT JOIN sized ON sized.tbl_name = sqlite_schema.name
 WHERE type = 'table' AND sqlite_schema.name NOT LIKE 'sqlite~_%' ESCAPE '~'
 ORDER BY sqlite_schema.name;
