-- Lists of executions and of log lines. ``{conditions}`` stands for those of one search, so that it finds its index;
-- their values are parameters.

-- name: list_executions
-- An error's message is shortened: a list shows its first line.
SELECT execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at, owner,
       (SELECT alias FROM execution_aliases AS named WHERE named.execution_id = pipeline_executions.execution_id) AS alias,
       (SELECT imported_at FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS imported_at,
       (SELECT rows_sha256 FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS rows_sha256,
       (SELECT went_on FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS went_on,
       (SELECT step_id
          FROM failure_groups AS alike
         WHERE alike.pipeline_id = pipeline_executions.pipeline_id
           AND alike.failure_group = pipeline_executions.failure_group
           AND alike.step_id <> '') AS failed_step,
       epoch, recoveries, sequence, cancel_requested, rerun_of, total_steps, completed_steps, failed_steps,
       input_tokens, output_tokens, cost_micros, unpriced_calls,
       error_type, substr(error_message, 1, 500) AS error_message, failure_group, created_at, started_at, completed_at
  FROM pipeline_executions
 WHERE {conditions}
 ORDER BY execution_id DESC
 LIMIT :limit;

-- name: find_reach
-- The newest execution that is not looked at where :look_back are; no row: there are not so many.
SELECT execution_id, created_at
  FROM pipeline_executions
 WHERE execution_id = (SELECT execution_id
                         FROM pipeline_executions
                        WHERE {conditions}
                        ORDER BY execution_id DESC
                        LIMIT 1 OFFSET :look_back);

-- name: find_attribute_reach
-- The newest execution with a value that is not looked at where :look_back with it are; no row: there are not so many.
SELECT execution_id, created_at
  FROM pipeline_executions
 WHERE execution_id = (SELECT execution_id
                         FROM execution_attributes
                        WHERE key = :key AND value = :value
                        ORDER BY execution_id DESC
                        LIMIT 1 OFFSET :look_back);

-- name: find_last_good
-- The newest that completed before one of the same pipeline. What came from a run file is none for what runs here.
SELECT execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at, owner,
       (SELECT alias FROM execution_aliases AS named WHERE named.execution_id = pipeline_executions.execution_id) AS alias,
       (SELECT imported_at FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS imported_at,
       (SELECT rows_sha256 FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS rows_sha256,
       (SELECT went_on FROM imported_executions AS imported WHERE imported.execution_id = pipeline_executions.execution_id) AS went_on,
       (SELECT step_id
          FROM failure_groups AS alike
         WHERE alike.pipeline_id = pipeline_executions.pipeline_id
           AND alike.failure_group = pipeline_executions.failure_group
           AND alike.step_id <> '') AS failed_step,
       epoch, recoveries, sequence, cancel_requested, rerun_of, total_steps, completed_steps, failed_steps,
       input_tokens, output_tokens, cost_micros, unpriced_calls,
       error_type, error_message, failure_group, created_at, started_at, completed_at
  FROM pipeline_executions
 WHERE pipeline_id = :pipeline_id
   AND status = 'completed'
   AND execution_id < :execution_id
   AND (NOT EXISTS (SELECT 1 FROM imported_executions AS copies
                     WHERE copies.execution_id = pipeline_executions.execution_id)
        OR EXISTS (SELECT 1 FROM imported_executions AS copies WHERE copies.execution_id = :execution_id))
 ORDER BY execution_id DESC
 LIMIT 1;

-- name: found_executions
-- What one search finds, for count_found, in which it stands; hence no semicolon.
-- The newest first, so that an index is walked: most windows of time end now.
SELECT execution_id
  FROM (SELECT execution_id FROM pipeline_executions WHERE {conditions} ORDER BY execution_id DESC LIMIT :most) AS found

-- name: count_found
-- Counting ends at :most. ``{searches}``: one found_executions for each search, with UNION between them.
SELECT COUNT(*) AS executions
  FROM (SELECT execution_id FROM ({searches}) AS every LIMIT :most) AS counted;

-- name: recent_ends
-- Start and end of the newest executions, for a typical duration without reading the whole table.
SELECT execution_id, status, started_at, completed_at
  FROM pipeline_executions
 WHERE {conditions}
 ORDER BY execution_id DESC
 LIMIT :limit;

-- name: window_bounds
-- The first and the last id of the executions that started in a time window; of no use when there are :most of them.
SELECT COUNT(*) AS executions,
       MIN(CAST(execution_id AS TEXT)) AS first_id, MAX(CAST(execution_id AS TEXT)) AS last_id
  FROM (SELECT execution_id FROM pipeline_executions WHERE {conditions} ORDER BY started_at LIMIT :most) AS started;

-- name: find_pipelines
SELECT id
  FROM pipelines
 WHERE ia_fold(slug) LIKE ia_fold(:pattern) ESCAPE '!' OR ia_fold(name) LIKE ia_fold(:pattern) ESCAPE '!'
 ORDER BY id DESC
 LIMIT :limit;

-- name: list_interactions
SELECT interactions.interaction_id, interactions.execution_id, interactions.step_execution_id, step_id, pipeline_id,
       pipeline_name, pipeline_version, interactions.status, prompt, ui_schema, assigned_users, assigned_role, answers,
       decided_by, wake_at AS deadline_at, interactions.created_at, interactions.completed_at, interactions.sequence
  FROM interactions
  JOIN step_executions ON step_executions.step_execution_id = interactions.step_execution_id
  JOIN pipeline_executions ON pipeline_executions.execution_id = interactions.execution_id
 WHERE {conditions}
 ORDER BY interactions.interaction_id DESC
 LIMIT :limit;

-- name: count_open_interactions
-- Counting ends at :most. The newest first, so that the index of those that are open is walked.
SELECT COUNT(*) AS pending
  FROM (SELECT interaction_id FROM interactions WHERE {conditions} ORDER BY interaction_id DESC LIMIT :most) AS counted;

-- name: mark_open_interactions
-- What is another when one of them changes, among the newest :most.
SELECT COUNT(*) AS pending, MAX(CAST(interaction_id AS TEXT)) AS newest, SUM(sequence) AS sequences
  FROM (SELECT interaction_id, sequence FROM interactions WHERE {conditions} ORDER BY interaction_id DESC LIMIT :most)
    AS counted;

-- name: list_logs
-- Those of one level after the line :cursor_id of the sequence :cursor_sequence, in the order in which they were written.
-- A line that stands for others, which are left out, is found by any text: it may be what they had.
SELECT log_id, execution_id, within, step_execution_id, level, logger, message, data, logged_at, sequence
  FROM execution_logs
 WHERE execution_id = :execution_id
   AND within = :within
   AND sequence >= :cursor_sequence
   AND (sequence > :cursor_sequence OR log_id > :cursor_id)
   AND CASE level WHEN 'debug' THEN 0 WHEN 'info' THEN 1 WHEN 'warning' THEN 2 WHEN 'error' THEN 3 ELSE :severity_of_output END
       >= :severity
   AND (CAST(:pattern AS TEXT) IS NULL OR logger = :gap_logger OR ia_fold(message) LIKE ia_fold(:pattern) ESCAPE '!')
 ORDER BY sequence, log_id
 LIMIT :limit;

-- name: list_logs_of_attempt
-- Those of an attempt after the line :cursor_id, in the order in which they were logged: of very many, the last are
-- written when it has ended, and warnings and errors among them before.
SELECT log_id, execution_id, within, step_execution_id, level, logger, message, data, logged_at, sequence
  FROM execution_logs
 WHERE step_execution_id = :step_execution_id
   AND execution_id = :execution_id
   AND log_id > :cursor_id
   AND CASE level WHEN 'debug' THEN 0 WHEN 'info' THEN 1 WHEN 'warning' THEN 2 WHEN 'error' THEN 3 ELSE :severity_of_output END
       >= :severity
   AND (CAST(:pattern AS TEXT) IS NULL OR logger = :gap_logger OR ia_fold(message) LIKE ia_fold(:pattern) ESCAPE '!')
 ORDER BY log_id
 LIMIT :limit;

-- name: list_gaps
-- Of the lines that stand for others, which are left out, how many they stand for; as list_logs finds them.
SELECT data
  FROM execution_logs
 WHERE execution_id = :execution_id
   AND within = COALESCE(
       (SELECT within FROM step_executions WHERE step_execution_id = :step_execution_id), :within)
   AND (step_execution_id = :step_execution_id OR :step_execution_id IS NULL)
   AND logger = :gap_logger
   AND CASE level WHEN 'debug' THEN 0 WHEN 'info' THEN 1 WHEN 'warning' THEN 2 WHEN 'error' THEN 3 ELSE :severity_of_output END
       >= :severity;
