-- name: applied_migrations
SELECT version, name, checksum, requires_program, applied_at FROM ia_migrations ORDER BY version;

-- name: record_migration
INSERT INTO ia_migrations (version, name, checksum, requires_program, applied_at)
VALUES (:version, :name, :checksum, :requires_program, ia_now());
