-- name: migrations_table_exists
SELECT count(*) AS found FROM sqlite_master WHERE type = 'table' AND name = 'ia_migrations';

-- name: existing_table
SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name = :name;

-- name: lock_migrations
-- BEGIN IMMEDIATE has already kept everybody else out.
SELECT 1;

-- name: create_migrations_table
CREATE TABLE IF NOT EXISTS ia_migrations (
    version          INTEGER NOT NULL PRIMARY KEY,
    name             TEXT NOT NULL,
    checksum         TEXT NOT NULL,
    requires_program TEXT NOT NULL,
    applied_at       TEXT NOT NULL
) STRICT;
