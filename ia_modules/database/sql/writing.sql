-- What the committer reads and writes: each sentence is for one row and is run for many.

-- name: read_pipeline
SELECT id, name FROM pipelines WHERE id = :pipeline_id;

-- name: read_execution_state
SELECT execution_id, status, owner, epoch, sequence, cancel_requested, total_steps, completed_steps, failed_steps
  FROM pipeline_executions
 WHERE execution_id = :execution_id;

-- name: read_execution_state_of_step
SELECT execution_id, status, owner, epoch, sequence, cancel_requested, total_steps, completed_steps, failed_steps
  FROM pipeline_executions
 WHERE execution_id = (SELECT execution_id FROM step_executions WHERE step_execution_id = :step_execution_id);

-- name: read_step_state
SELECT step_execution_id, execution_id, step_id, iteration, attempt, status
  FROM step_executions
 WHERE step_execution_id = :step_execution_id;

-- name: read_latest_attempt
SELECT step_execution_id, execution_id, step_id, iteration, attempt, status
  FROM step_executions
 WHERE execution_id = :execution_id AND step_id = :step_id
 ORDER BY iteration DESC, attempt DESC
 LIMIT 1;

-- name: read_log_id
SELECT log_id FROM execution_logs WHERE log_id = :log_id;

-- name: read_interaction_id
SELECT interaction_id FROM interactions WHERE interaction_id = :interaction_id;

-- name: read_answered_interaction
SELECT interaction_id FROM interactions WHERE interaction_id = :interaction_id AND status = 'answered';

-- name: insert_execution
-- No row returned = it exists; its state must be read and the transition decided again.
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at, rerun_of,
    idempotency_key, request_hash, owner, epoch, sequence, total_steps, completed_steps, failed_steps, input_data,
    metadata, output_data, error_type, error_message, created_at, started_at, completed_at)
VALUES (
    :execution_id, :pipeline_id, :pipeline_name, :pipeline_version, :status, :managed, :trigger, :priority, :run_at, :rerun_of,
    :idempotency_key, :request_hash, :owner, :epoch, :sequence, :total_steps, :completed_steps, :failed_steps,
    :input_data, :metadata, :output_data, :error_type, :error_message, ia_now(),
    CASE WHEN CAST(:started AS BOOLEAN) THEN ia_now() END, CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now() END)
ON CONFLICT (execution_id) DO NOTHING
RETURNING execution_id;

-- name: advance_execution
-- Compare and swap: whoever decided on an older row, or holds an older claim, changes nothing and gets no row back.
-- A step that completed is progress: what comes after it is no crash loop.
UPDATE pipeline_executions
   SET sequence = :sequence,
       status = :status,
       owner = :owner,
       recoveries = CASE WHEN :completed_steps > completed_steps THEN 0 ELSE recoveries END,
       total_steps = :total_steps,
       completed_steps = :completed_steps,
       failed_steps = :failed_steps,
       output_data = COALESCE(:output_data, output_data),
       error_type = COALESCE(:error_type, error_type),
       error_message = COALESCE(:error_message, error_message),
       started_at = CASE WHEN CAST(:started AS BOOLEAN) THEN COALESCE(started_at, ia_now()) ELSE started_at END,
       completed_at = CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now() END
 WHERE execution_id = :execution_id
   AND sequence = :known_sequence
   AND epoch = :epoch
RETURNING execution_id;

-- name: start_step
INSERT INTO step_executions (
    step_execution_id, execution_id, step_id, step_name, step_type, iteration, attempt, status, worker, input_data,
    input_refs, metadata, input_bytes, sequence, created_at, started_at, completed_at)
VALUES (
    :step_execution_id, :execution_id, :step_id, :step_name, :step_type, :iteration, :attempt, :status, :worker,
    :input_data, :input_refs, :metadata, :input_bytes, :sequence, ia_now(),
    CASE WHEN CAST(:started AS BOOLEAN) THEN ia_now() END, CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now() END);

-- name: update_step
UPDATE step_executions
   SET status = COALESCE(:status, status),
       sequence = :sequence,
       output_data = COALESCE(:output_data, output_data),
       output_bytes = COALESCE(:output_bytes, output_bytes),
       routes = COALESCE(:routes, routes),
       error_type = COALESCE(:error_type, error_type),
       error_message = COALESCE(:error_message, error_message),
       traceback = COALESCE(:traceback, traceback),
       retry_count = COALESCE(:retry_count, retry_count),
       progress = COALESCE(:progress, progress),
       progress_message = COALESCE(:progress_message, progress_message),
       started_at = CASE WHEN CAST(:started AS BOOLEAN) THEN COALESCE(started_at, ia_now()) ELSE started_at END,
       completed_at = CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now() ELSE completed_at END
 WHERE step_execution_id = :step_execution_id;

-- name: close_open_steps
-- The execution has ended: what still ran in it is cancelled, so that nothing seems to run for ever.
UPDATE step_executions
   SET status = 'cancelled',
       sequence = :sequence,
       error_type = :error_type,
       error_message = :error_message,
       completed_at = ia_now()
 WHERE execution_id = :execution_id
   AND status IN ('pending', 'running', 'waiting');

-- name: insert_log
-- A line that a repeated transition brings again is kept once.
INSERT INTO execution_logs (log_id, execution_id, step_execution_id, level, message, data, sequence, logged_at)
VALUES (:log_id, :execution_id, :step_execution_id, :level, :message, :data, :sequence, ia_now(:ago_seconds))
ON CONFLICT (log_id) DO NOTHING;

-- name: insert_interaction
INSERT INTO interactions (
    interaction_id, execution_id, step_execution_id, status, prompt, ui_schema, data, assigned_users, on_timeout,
    deadline_at, sequence, created_at)
VALUES (
    :interaction_id, :execution_id, :step_execution_id, 'pending', :prompt, :ui_schema, :data, :assigned_users,
    :on_timeout, CASE WHEN CAST(:timeout_seconds AS DOUBLE PRECISION) IS NOT NULL THEN ia_now(:timeout_seconds) END, :sequence,
    ia_now())
ON CONFLICT (interaction_id) DO NOTHING;

-- name: expire_interaction
UPDATE interactions
   SET status = 'expired', sequence = :sequence, completed_at = ia_now()
 WHERE interaction_id = :interaction_id
   AND status = 'pending';

-- name: close_open_interactions
UPDATE interactions
   SET status = 'cancelled', sequence = :sequence, completed_at = ia_now()
 WHERE execution_id = :execution_id
   AND status = 'pending';

-- name: take_over
-- A new claim: every write under an older epoch is refused from here on.
UPDATE pipeline_executions
   SET owner = :owner, epoch = epoch + 1, sequence = sequence + 1
 WHERE execution_id = :execution_id
   AND status NOT IN ('completed', 'failed', 'cancelled')
RETURNING epoch;

-- name: reopen
-- A new claim that also leaves a bad end behind. Only what has completed stays as it is.
UPDATE pipeline_executions
   SET owner = :owner, epoch = epoch + 1, sequence = sequence + 1, status = 'running',
       started_at = COALESCE(started_at, ia_now()), completed_at = NULL, cancel_requested = FALSE,
       error_type = NULL, error_message = NULL
 WHERE execution_id = :execution_id
   AND status <> 'completed'
RETURNING epoch;

-- name: request_cancel
-- Who runs it stops it; what nobody runs ends here and now.
UPDATE pipeline_executions
   SET cancel_requested = TRUE,
       sequence = sequence + 1,
       completed_at = CASE WHEN status IN ('pending', 'waiting_for_human') THEN ia_now() END,
       status = CASE WHEN status IN ('pending', 'waiting_for_human') THEN 'cancelled' ELSE status END
 WHERE execution_id = :execution_id
   AND status NOT IN ('completed', 'failed', 'cancelled')
RETURNING execution_id, sequence, status;

-- name: cancel_requests
-- Of the executions that a process runs, those that are to be stopped.
SELECT execution_id
  FROM pipeline_executions
 WHERE owner = :owner
   AND status IN ('running', 'waiting_for_human')
   AND cancel_requested;

-- name: answer_interaction
UPDATE interactions
   SET status = 'answered', sequence = :sequence, completed_at = ia_now()
 WHERE interaction_id = :interaction_id
   AND status = 'pending'
RETURNING execution_id, step_execution_id;

-- name: insert_response
INSERT INTO interaction_responses (interaction_id, actor, response, created_at)
VALUES (:interaction_id, :actor, :response, ia_now());

-- name: wake_answered_execution
-- Written as waiting for people only, but somebody answered while other steps still ran: it may be claimed at once.
UPDATE pipeline_executions
   SET status = 'pending'
 WHERE execution_id = :execution_id
   AND status = 'waiting_for_human'
   AND EXISTS (
       SELECT 1
         FROM interactions
         JOIN step_executions ON step_executions.step_execution_id = interactions.step_execution_id
        WHERE interactions.execution_id = :execution_id
          AND interactions.status = 'answered'
          AND step_executions.status = 'waiting');

-- name: wake_waiting_execution
-- An answer comes: what waited for people only may be claimed again. The execution's row is locked before the question's,
-- as everybody does, so that nobody waits for each other.
UPDATE pipeline_executions
   SET sequence = sequence + 1, status = CASE WHEN status = 'waiting_for_human' THEN 'pending' ELSE status END
 WHERE execution_id = (SELECT execution_id FROM interactions WHERE interaction_id = :interaction_id)
RETURNING execution_id, sequence;
