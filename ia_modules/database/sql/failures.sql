-- Failures in groups. A window has what failed in it; it is found by the index failures_by_time, which has all that
-- counting asks for. With COALESCE around what is grouped, SQLite does not prefer an index that has the groups in order. A
-- parameter that may be NULL is compared before it is asked for NULL: so PostgreSQL knows its type.

-- name: count_failures
-- One part of a window: how often which group failed in it, by the version that ran.
SELECT counted_pipeline AS pipeline_id, counted_group AS failure_group, pipeline_version, COUNT(*) AS failures,
       CAST(:part AS INTEGER) AS part, MAX(completed_at) AS last_at, MAX(CAST(execution_id AS TEXT)) AS execution_id
  FROM (SELECT COALESCE(pipeline_id, NULL) AS counted_pipeline, COALESCE(failure_group, NULL) AS counted_group,
               pipeline_version, completed_at, execution_id
          FROM pipeline_executions
         WHERE failure_group IS NOT NULL
           AND completed_at >= :start
           AND completed_at < :end
           AND (pipeline_id = :pipeline_id OR :pipeline_id IS NULL)
           AND (failure_group = :failure_group OR :failure_group IS NULL)) AS failed
 GROUP BY counted_pipeline, counted_group, pipeline_version;

-- name: get_failure_group
SELECT pipeline_id, slug, name AS pipeline_name, failure_group, step_id, error_type, message, state, mended_in_version,
       marked_by, marked_at, reopened_at, failure_groups.created_at AS first_at,
       (SELECT pipeline_version
          FROM pipeline_executions AS alike
         WHERE alike.failure_group = failure_groups.failure_group
           AND COALESCE(alike.pipeline_id, NULL) = failure_groups.pipeline_id
         ORDER BY alike.execution_id
         LIMIT 1) AS first_version
  FROM failure_groups
  JOIN pipelines ON pipelines.id = pipeline_id
 WHERE pipeline_id = :pipeline_id AND failure_group = :failure_group;

-- name: newest_failure
-- Of a group, whenever that was.
SELECT execution_id, completed_at AS last_at
  FROM pipeline_executions
 WHERE failure_group = :failure_group AND COALESCE(pipeline_id, NULL) = :pipeline_id
 ORDER BY execution_id DESC
 LIMIT 1;

-- name: lock_failure_group
-- Nobody else marks it until the commit. No row returned = there is no such group.
UPDATE failure_groups SET state = state
 WHERE pipeline_id = :pipeline_id AND failure_group = :failure_group
RETURNING failure_group;

-- name: mark_failure_group
UPDATE failure_groups
   SET state = :state, mended_in_version = :version, marked_by = :actor, marked_at = ia_now(), reopened_at = NULL
 WHERE pipeline_id = :pipeline_id AND failure_group = :failure_group;
