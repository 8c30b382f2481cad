-- What a run file has beside our schema, and how that is read and written; only there.

-- name: create_table_of_run_file
-- What a run file says of itself. left_out: the parts that are not in it, with commas between them. rows_sha256: of its
-- rows, the same whichever database they came from; file_sha256: of all rows of this file as they stand in it.
CREATE TABLE run_file (
    execution_id TEXT NOT NULL PRIMARY KEY REFERENCES pipeline_executions (execution_id),
    program      TEXT NOT NULL,
    left_out     TEXT NOT NULL,
    exported_at  TEXT NOT NULL,
    rows_sha256  TEXT NOT NULL,
    file_sha256  TEXT NOT NULL
) STRICT;

-- name: write_run_file
INSERT INTO run_file (execution_id, program, left_out, exported_at, rows_sha256, file_sha256)
VALUES (:execution_id, :program, :left_out, :exported_at, :rows_sha256, :file_sha256);

-- name: read_run_file
SELECT execution_id, program, left_out, exported_at, rows_sha256, file_sha256 FROM run_file LIMIT 2;

-- name: read_recorded_migrations
SELECT version, name, checksum, requires_program, applied_at FROM ia_migrations ORDER BY version LIMIT 1000;
