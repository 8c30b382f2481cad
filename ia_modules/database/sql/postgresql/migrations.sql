-- name: migrations_table_exists
SELECT count(*) AS found FROM pg_class WHERE oid = to_regclass('ia_migrations');

-- name: existing_table
SELECT relname AS name FROM pg_class WHERE oid = to_regclass(:name);

-- name: lock_migrations
-- One migrator at a time, until its transaction ends. The number is "ia_modul" in ASCII.
SELECT pg_advisory_xact_lock(x'69615f6d6f64756c'::bigint);

-- name: create_migrations_table
CREATE TABLE IF NOT EXISTS ia_migrations (
    version          INTEGER NOT NULL PRIMARY KEY,
    name             TEXT NOT NULL,
    checksum         TEXT NOT NULL,
    requires_program TEXT NOT NULL,
    applied_at       TIMESTAMPTZ NOT NULL
);
