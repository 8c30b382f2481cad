-- name: measure_database
SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size_bytes;

-- name: measure_tables
-- Rows as the server's statistics have them: nothing is counted.
SELECT relname AS name,
       CAST(GREATEST(reltuples, pg_stat_get_live_tuples(oid), 0) AS BIGINT) AS rows,
       pg_total_relation_size(oid) AS bytes
  FROM pg_class
 WHERE relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace)
 ORDER BY relname;
