-- name: lock_pipeline
-- The pipeline with this slug, made when there is none; nobody else registers anything of it until the commit.
INSERT INTO pipelines (id, slug, name, description, current_version, is_active, created_at, updated_at)
VALUES (:id, :slug, :name, NULL, NULL, TRUE, ia_now(), ia_now())
ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug
RETURNING id, current_version;

-- name: lock_pipeline_by_id
-- The same of one that is there.
UPDATE pipelines SET slug = slug WHERE id = :pipeline_id;

-- name: update_pipeline
-- A description of NULL leaves the one that stands, an empty one takes it away; a version of NULL leaves the current one.
UPDATE pipelines
   SET name = :name,
       description = NULLIF(COALESCE(CAST(:description AS TEXT), description), ''),
       current_version = COALESCE(CAST(:version AS INTEGER), current_version),
       updated_at = ia_now()
 WHERE id = :pipeline_id;

-- name: read_pipeline_version
SELECT version FROM pipeline_versions WHERE pipeline_id = :pipeline_id AND content_hash = :content_hash;

-- name: learn_source_folder
-- A program registered it without one; a file with the same content tells where its modules lie.
UPDATE pipeline_versions
   SET source_folder = :source_folder
 WHERE pipeline_id = :pipeline_id AND content_hash = :content_hash AND source_folder IS NULL;

-- name: insert_pipeline_version
INSERT INTO pipeline_versions (
    pipeline_id, version, definition, content_hash, source_folder, origin, author, note, created_at)
VALUES (
    :pipeline_id, (SELECT COALESCE(MAX(version), 0) + 1 FROM pipeline_versions WHERE pipeline_id = :pipeline_id),
    :definition, :content_hash, :source_folder, :origin, :author, :note, ia_now())
RETURNING version;

-- name: read_current_version
-- The current version, and how many there are; no row where there is no pipeline.
SELECT p.id, p.slug, p.current_version, v.content_hash, v.origin, v.author,
       (SELECT MAX(version) FROM pipeline_versions WHERE pipeline_id = p.id) AS newest_version
  FROM pipelines AS p
  LEFT JOIN pipeline_versions AS v ON v.pipeline_id = p.id AND v.version = p.current_version
 WHERE p.id = :pipeline_id;

-- name: read_version_numbers
SELECT version, content_hash FROM pipeline_versions WHERE pipeline_id = :pipeline_id;

-- name: list_pipeline_page
-- By slug, after :cursor. :pattern is of LIKE, with ! before what is meant literally.
SELECT id, slug, name, description, current_version, is_active, created_at, updated_at
  FROM pipelines
 WHERE is_active = :is_active
   AND slug > :cursor
   AND (CAST(:pattern AS TEXT) IS NULL
        OR ia_fold(slug) LIKE ia_fold(:pattern) ESCAPE '!'
        OR ia_fold(name) LIKE ia_fold(:pattern) ESCAPE '!'
        OR ia_fold(COALESCE(description, '')) LIKE ia_fold(:pattern) ESCAPE '!')
 ORDER BY slug
 LIMIT :limit;

-- name: recent_executions_of_pipeline
SELECT pipeline_id, execution_id, status, created_at, started_at, completed_at
  FROM pipeline_executions
 WHERE pipeline_id = :pipeline_id
 ORDER BY execution_id DESC
 LIMIT :limit;

-- name: recent_ends_of_pipeline
-- The newest that completed or failed; each side finds its own in the index.
SELECT pipeline_id, execution_id, status, created_at, started_at, completed_at
  FROM (SELECT *
          FROM (SELECT pipeline_id, execution_id, status, created_at, started_at, completed_at
                  FROM pipeline_executions
                 WHERE pipeline_id = :pipeline_id AND status = 'completed'
                 ORDER BY execution_id DESC
                 LIMIT :limit) AS completed
        UNION ALL
        SELECT *
          FROM (SELECT pipeline_id, execution_id, status, created_at, started_at, completed_at
                  FROM pipeline_executions
                 WHERE pipeline_id = :pipeline_id AND status = 'failed'
                 ORDER BY execution_id DESC
                 LIMIT :limit) AS failed) AS ended
 ORDER BY execution_id DESC
 LIMIT :limit;

-- name: count_active_of_pipeline
SELECT id AS pipeline_id,
       (SELECT COUNT(*)
          FROM (SELECT execution_id
                  FROM pipeline_executions
                 WHERE pipeline_id = :pipeline_id AND status IN ('pending', 'running', 'waiting', 'waiting_for_human')
                 LIMIT :limit) AS active) AS active
  FROM pipelines
 WHERE id = :pipeline_id;

-- name: last_input_of_pipeline
-- What the newest execution was given, up to :inline_bytes.
SELECT CASE WHEN octet_length(CAST(input_data AS TEXT)) <= :inline_bytes THEN input_data END AS input_data
  FROM pipeline_executions
 WHERE pipeline_id = :pipeline_id
 ORDER BY execution_id DESC
 LIMIT 1;

-- name: list_pipeline_versions
SELECT pipeline_id, version, definition, content_hash, source_folder, origin, author, note, created_at
  FROM pipeline_versions
 WHERE pipeline_id = :pipeline_id AND version < :before
 ORDER BY version DESC
 LIMIT :limit;

-- name: get_definition_text
SELECT definition FROM pipeline_versions WHERE pipeline_id = :pipeline_id AND version = :version;

-- name: set_pipeline_active
UPDATE pipelines
   SET is_active = :is_active, updated_at = ia_now()
 WHERE id = :pipeline_id AND is_active <> :is_active;
