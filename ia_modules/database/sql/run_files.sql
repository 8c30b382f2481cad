-- Copying executions row by row: out of a database into a run file, and out of one into a database. All columns are read;
-- which of them a file has is decided in tracker/run_file.py.

-- name: read_origins
SELECT rerun_of, parent_execution_id, root_execution_id FROM pipeline_executions WHERE execution_id = :execution_id;

-- name: count_execution_logs
SELECT COUNT(*) AS log_lines FROM execution_logs WHERE execution_id = :execution_id;

-- name: count_interactions
SELECT COUNT(*) AS questions FROM interactions WHERE execution_id = :execution_id;

-- name: read_rows_of_pipelines
SELECT * FROM pipelines WHERE id = :pipeline_id;

-- name: read_rows_of_pipeline_versions
SELECT * FROM pipeline_versions WHERE pipeline_id = :pipeline_id AND version = :version;

-- name: read_rows_of_pipeline_executions
SELECT * FROM pipeline_executions WHERE execution_id = :execution_id;

-- name: read_rows_of_execution_aliases
SELECT * FROM execution_aliases WHERE execution_id = :execution_id;

-- name: read_rows_of_execution_attributes
SELECT * FROM execution_attributes WHERE execution_id = :execution_id ORDER BY key, value;

-- name: read_step_sizes
SELECT step_execution_id, input_bytes + output_bytes AS payload_bytes
  FROM step_executions
 WHERE execution_id = :execution_id
 ORDER BY step_execution_id;

-- name: read_rows_of_step_executions
SELECT *
  FROM step_executions
 WHERE execution_id = :execution_id AND step_execution_id > :cursor
 ORDER BY step_execution_id
 LIMIT :limit;

-- name: read_rows_of_execution_logs
SELECT *
  FROM execution_logs
 WHERE execution_id = :execution_id AND (within, sequence, log_id) > (:within, :sequence, :log_id)
 ORDER BY within, sequence, log_id
 LIMIT :limit;

-- name: read_rows_of_interactions
SELECT * FROM interactions WHERE execution_id = :execution_id ORDER BY interaction_id;

-- name: read_rows_of_interaction_responses
SELECT * FROM interaction_responses WHERE interaction_id = :interaction_id;

-- name: read_rows_of_audit_log
-- That a copy was made, or came, is of the database in which that was done.
SELECT * FROM audit_log WHERE subject = :subject AND action NOT IN ('execution.export', 'execution.import');

-- name: copy_into_pipelines
INSERT INTO pipelines (
    id, slug, name, description, current_version, is_active, created_at, updated_at)
VALUES (
    :id, :slug, :name, :description, :current_version, :is_active, :created_at, :updated_at);

-- name: copy_into_pipeline_versions
INSERT INTO pipeline_versions (
    pipeline_id, version, definition, content_hash, source_folder, origin, author, note, created_at)
VALUES (
    :pipeline_id, :version, :definition, :content_hash, :source_folder, :origin, :author, :note, :created_at);

-- name: copy_into_pipeline_executions
-- Which executions it goes back to is said afterwards, by link_copied_execution: they may come in any order.
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at,
    deadline_at, queue_key, queue_limit, owner, epoch, recoveries, sequence, cancel_requested, parent_run, depth,
    detached, pinned, what_if, traceparent, total_steps, completed_steps, failed_steps, input_tokens, output_tokens,
    cost_micros, output_refs, error_type, error_message, failure_group, created_at, started_at, completed_at,
    metadata, input_data, output_data, reopened, overrides, unpriced_calls)
VALUES (
    :execution_id, :pipeline_id, :pipeline_name, :pipeline_version, :status, :managed, :trigger, :priority, :run_at,
    :deadline_at, :queue_key, :queue_limit, :owner, :epoch, :recoveries, :sequence, :cancel_requested, :parent_run,
    :depth, :detached, :pinned, :what_if, :traceparent, :total_steps, :completed_steps, :failed_steps,
    :input_tokens, :output_tokens, :cost_micros, :output_refs, :error_type, :error_message, :failure_group,
    :created_at, :started_at, :completed_at, :metadata, :input_data, :output_data, :reopened, :overrides,
    :unpriced_calls);

-- name: copy_into_execution_aliases
INSERT INTO execution_aliases (
    alias, execution_id)
VALUES (
    :alias, :execution_id);

-- name: copy_into_execution_attributes
INSERT INTO execution_attributes (
    key, value, execution_id)
VALUES (
    :key, :value, :execution_id);

-- name: copy_into_step_executions
INSERT INTO step_executions (
    step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
    worker, wake_at, awaits, item_count, effect, cache_key, routes, input_refs, input_bytes, output_bytes,
    error_type, error_message, progress, progress_message, copied_from, copied_because, input_tokens, output_tokens,
    cost_micros, usage, first_token_ms, sequence, created_at, started_at, completed_at, traceback, metadata,
    input_data, output_data, unpriced_calls)
VALUES (
    :step_execution_id, :execution_id, :within, :step_id, :step_name, :step_type, :iteration, :attempt,
    :retry_count, :status, :worker, :wake_at, :awaits, :item_count, :effect, :cache_key, :routes, :input_refs,
    :input_bytes, :output_bytes, :error_type, :error_message, :progress, :progress_message, :copied_from,
    :copied_because, :input_tokens, :output_tokens, :cost_micros, :usage, :first_token_ms, :sequence, :created_at,
    :started_at, :completed_at, :traceback, :metadata, :input_data, :output_data,
    :unpriced_calls);

-- name: copy_into_execution_logs
INSERT INTO execution_logs (
    log_id, execution_id, step_execution_id, within, level, logger, message, data, sequence, logged_at)
VALUES (
    :log_id, :execution_id, :step_execution_id, :within, :level, :logger, :message, :data, :sequence, :logged_at);

-- name: copy_into_interactions
INSERT INTO interactions (
    interaction_id, execution_id, step_execution_id, status, prompt, ui_schema, data, assigned_users, assigned_role,
    answers, decided_by, on_timeout, sequence, created_at, completed_at, carried_from, carries)
VALUES (
    :interaction_id, :execution_id, :step_execution_id, :status, :prompt, :ui_schema, :data, :assigned_users,
    :assigned_role, :answers, :decided_by, :on_timeout, :sequence, :created_at, :completed_at, :carried_from,
    :carries);

-- name: copy_into_interaction_responses
INSERT INTO interaction_responses (
    interaction_id, actor, revision, response, created_at)
VALUES (
    :interaction_id, :actor, :revision, :response, :created_at);

-- name: copy_into_audit_log
-- What was done stays on record where it was done, also when the execution was deleted there since.
INSERT INTO audit_log (
    audit_id, actor, action, subject, detail, created_at)
VALUES (
    :audit_id, :actor, :action, :subject, :detail, :created_at)
ON CONFLICT (audit_id) DO NOTHING;

-- name: link_copied_execution
UPDATE pipeline_executions
   SET rerun_of = :rerun_of, parent_execution_id = :parent_execution_id, root_execution_id = :root_execution_id
 WHERE execution_id = :execution_id;

-- name: insert_imported_execution
INSERT INTO imported_executions (execution_id, rows_sha256, went_on, imported_at)
VALUES (:execution_id, :rows_sha256, :went_on, ia_now());

-- name: is_imported
SELECT went_on FROM imported_executions WHERE execution_id = :execution_id;
