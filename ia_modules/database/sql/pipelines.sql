-- name: upsert_pipeline
INSERT INTO pipelines (id, slug, name, description, current_version, is_active, created_at, updated_at)
VALUES (:id, :slug, :name, :description, NULL, TRUE, ia_now(), ia_now())
ON CONFLICT (slug) DO UPDATE
   SET name = excluded.name,
       description = COALESCE(excluded.description, pipelines.description),
       updated_at = excluded.updated_at
RETURNING id, current_version;

-- name: read_pipeline_version
SELECT version FROM pipeline_versions WHERE pipeline_id = :pipeline_id AND content_hash = :content_hash;

-- name: insert_pipeline_version
INSERT INTO pipeline_versions (pipeline_id, version, definition, content_hash, source_folder, created_at)
VALUES (
    :pipeline_id, (SELECT COALESCE(MAX(version), 0) + 1 FROM pipeline_versions WHERE pipeline_id = :pipeline_id),
    :definition, :content_hash, :source_folder, ia_now())
RETURNING version;

-- name: set_current_version
UPDATE pipelines SET current_version = :version, updated_at = ia_now() WHERE id = :pipeline_id;
