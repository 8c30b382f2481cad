-- What the committer reads and writes: each sentence is for one row and is run for many.

-- name: read_pipeline
SELECT id, name FROM pipelines WHERE id = :pipeline_id;

-- name: read_execution_state
-- MAX is one look into the index on both databases, whatever they know of the table; NULL where there are no steps.
SELECT execution_id, status, owner, epoch, recoveries, sequence, cancel_requested, total_steps, completed_steps,
       failed_steps, completed_at,
       (SELECT MAX(within) FROM step_executions WHERE execution_id = :execution_id) > '' AS has_inner
  FROM pipeline_executions
 WHERE execution_id = :execution_id;

-- name: read_execution_state_of_step
SELECT execution_id, status, owner, epoch, recoveries, sequence, cancel_requested, total_steps, completed_steps,
       failed_steps, completed_at,
       (SELECT MAX(within)
          FROM step_executions
         WHERE step_executions.execution_id = pipeline_executions.execution_id) > '' AS has_inner
  FROM pipeline_executions
 WHERE execution_id = (SELECT execution_id FROM step_executions WHERE step_execution_id = :step_execution_id);

-- name: read_step_state
SELECT step_execution_id, execution_id, within, step_id, iteration, attempt, status, awaits, input_tokens, output_tokens,
       cost_micros, unpriced_calls
  FROM step_executions
 WHERE step_execution_id = :step_execution_id;

-- name: read_attempts
-- The attempts of an execution, but no more than so many.
SELECT step_execution_id, execution_id, within, step_id, iteration, attempt, status, awaits, input_tokens, output_tokens,
       cost_micros, unpriced_calls
  FROM step_executions
 WHERE execution_id = :execution_id
 LIMIT :limit;

-- name: read_asking
-- A row: somebody is asked.
SELECT execution_id FROM interactions WHERE execution_id = :execution_id AND status = 'pending' LIMIT 1;

-- name: read_latest_attempt
-- The newest attempt of a step, or of one iteration of it.
SELECT step_execution_id, execution_id, within, step_id, iteration, attempt, status, awaits, input_tokens, output_tokens,
       cost_micros, unpriced_calls,
       CAST(:iteration AS INTEGER) AS of_iteration
  FROM step_executions
 WHERE execution_id = :execution_id
   AND within = :within
   AND step_id = :step_id
   AND (CAST(:iteration AS INTEGER) IS NULL OR iteration = :iteration)
 ORDER BY iteration DESC, attempt DESC
 LIMIT 1;

-- name: read_log_id
SELECT log_id FROM execution_logs WHERE log_id = :log_id;

-- name: read_interaction
SELECT interaction_id, execution_id, step_execution_id, status, assigned_users, assigned_role, answers, decided_by,
       completed_at
  FROM interactions
 WHERE interaction_id = :interaction_id;

-- name: open_within
-- Those that were answered have a later sequence than those that are still open: the first are found at once.
SELECT interactions.interaction_id
  FROM interactions
  JOIN step_executions ON step_executions.step_execution_id = interactions.step_execution_id
 WHERE interactions.execution_id = :execution_id
   AND interactions.status = 'pending'
   AND step_executions.within = :within
 ORDER BY interactions.sequence
 LIMIT :limit;

-- name: insert_execution
-- No row returned = it exists; its state must be read and the transition decided again.
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at, rerun_of,
    owner, epoch, recoveries, sequence, cancel_requested, total_steps, completed_steps, failed_steps, input_data,
    metadata, overrides, traceparent, output_data, output_refs, error_type, error_message, created_at, started_at,
    completed_at)
VALUES (
    :execution_id, :pipeline_id, :pipeline_name, :pipeline_version, :status, :managed, :trigger, :priority, :run_at,
    :rerun_of, :owner, :epoch, :recoveries, :sequence, :cancel_requested, :total_steps, :completed_steps, :failed_steps,
    :input_data, :metadata, :overrides, :traceparent, :output_data, :output_refs, :error_type, :error_message,
    ia_now(:ago_seconds),
    CASE WHEN CAST(:started AS BOOLEAN) THEN ia_now(:ago_seconds) END,
    CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now(:ended_ago_seconds) END)
ON CONFLICT (execution_id) DO NOTHING
RETURNING execution_id;

-- name: copy_step
-- The attempt with the result of a run of the execution before, as another execution has it from now on, too.
INSERT INTO step_executions (
    step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status,
    worker, awaits, effect, routes, input_refs, input_bytes, output_bytes, error_type, error_message, copied_from,
    copied_because, sequence, created_at, started_at, completed_at, traceback, metadata, input_data, output_data)
SELECT :step_execution_id, :execution_id, within, step_id, step_name, step_type,
       COALESCE(CAST(:iteration AS INTEGER), iteration), 1, 0, status, worker, awaits, effect, :routes, input_refs,
       input_bytes, output_bytes, error_type, error_message, step_execution_id, 'rerun', :sequence, ia_now(), ia_now(),
       ia_now(), traceback, metadata, input_data, output_data
  FROM step_executions
 WHERE step_execution_id = :copied_from;

-- name: copy_question
INSERT INTO interactions (
    interaction_id, execution_id, step_execution_id, status, prompt, ui_schema, data, assigned_users, assigned_role,
    answers, decided_by, carries, on_timeout, carried_from, sequence, created_at, completed_at)
SELECT :interaction_id, :execution_id, :step_execution_id, status, prompt, ui_schema, data, assigned_users,
       assigned_role, answers, decided_by, carries, on_timeout, interaction_id, :sequence, created_at, completed_at
  FROM interactions
 WHERE step_execution_id = :copied_from;

-- name: copy_answers
INSERT INTO interaction_responses (interaction_id, actor, revision, response, created_at)
SELECT :interaction_id, actor, revision, response, interaction_responses.created_at
  FROM interaction_responses
  JOIN interactions ON interactions.interaction_id = interaction_responses.interaction_id
 WHERE step_execution_id = :copied_from;

-- name: insert_alias
INSERT INTO execution_aliases (alias, execution_id) VALUES (:alias, :execution_id);

-- name: insert_request
INSERT INTO execution_requests (pipeline_id, idempotency_key, execution_id, request_hash)
VALUES (:pipeline_id, :idempotency_key, :execution_id, :request_hash);

-- name: insert_attribute
INSERT INTO execution_attributes (key, value, execution_id) VALUES (:key, :value, :execution_id);

-- name: write_execution
-- Compare and swap: what was decided on an older row changes nothing, and gets no row back.
UPDATE pipeline_executions
   SET sequence = :sequence,
       status = :status,
       run_at = CASE WHEN :status IN ('waiting', 'waiting_for_human') THEN run_at END,
       managed = managed OR CAST(:queued AS BOOLEAN),
       reopened = CASE WHEN CAST(:reopened AS BOOLEAN) THEN :sequence ELSE reopened END,
       owner = :owner,
       epoch = :epoch,
       recoveries = :recoveries,
       cancel_requested = :cancel_requested,
       total_steps = :total_steps,
       completed_steps = :completed_steps,
       failed_steps = :failed_steps,
       output_data = COALESCE(:output_data, output_data),
       output_refs = COALESCE(:output_refs, output_refs),
       error_type = COALESCE(:error_type, CASE WHEN NOT CAST(:reopened AS BOOLEAN) THEN error_type END),
       error_message = COALESCE(:error_message, CASE WHEN NOT CAST(:reopened AS BOOLEAN) THEN error_message END),
       failure_group = CASE WHEN NOT CAST(:reopened AS BOOLEAN) THEN failure_group END,
       started_at = CASE WHEN CAST(:started AS BOOLEAN) THEN COALESCE(started_at, ia_now()) ELSE started_at END,
       metadata = COALESCE(:metadata, metadata),
       completed_at = CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now(:ended_ago_seconds) END
 WHERE execution_id = :execution_id
   AND sequence = :known_sequence
   AND epoch = :known_epoch
RETURNING execution_id;

-- name: write_spent
-- Of an execution whose row has just been written: by what its attempts have used since.
UPDATE pipeline_executions
   SET input_tokens = COALESCE(input_tokens + :input_tokens, :input_tokens),
       output_tokens = COALESCE(output_tokens + :output_tokens, :output_tokens),
       cost_micros = COALESCE(cost_micros + :cost_micros, cost_micros, :cost_micros),
       unpriced_calls = COALESCE(unpriced_calls + :unpriced_calls, :unpriced_calls)
 WHERE execution_id = :execution_id;

-- name: first_failed_step
-- Of the graph's steps whose last attempt failed, the one that did so first.
SELECT step_id, error_type, error_message
  FROM step_executions AS failed
 WHERE execution_id = :execution_id
   AND within = ''
   AND status = 'failed'
   AND NOT EXISTS (SELECT 1
                     FROM step_executions AS later
                    WHERE later.execution_id = failed.execution_id
                      AND later.within = ''
                      AND later.step_id = failed.step_id
                      AND later.iteration = failed.iteration
                      AND later.attempt > failed.attempt)
 ORDER BY sequence, step_execution_id
 LIMIT 1;

-- name: insert_failure_group
INSERT INTO failure_groups (pipeline_id, failure_group, rule, step_id, error_type, message, created_at)
SELECT pipeline_id, :failure_group, :rule, :step_id, :error_type, :message, COALESCE(completed_at, ia_now())
  FROM pipeline_executions
 WHERE execution_id = :execution_id
ON CONFLICT (pipeline_id, failure_group) DO NOTHING;

-- name: reopen_failure_group
-- It was said to be mended by the version that failed now, or by one before it.
UPDATE failure_groups
   SET state = 'open', reopened_at = ia_now()
 WHERE failure_group = :failure_group
   AND state = 'mended'
   AND pipeline_id = (SELECT pipeline_id FROM pipeline_executions WHERE execution_id = :execution_id)
   AND mended_in_version <= (SELECT pipeline_version FROM pipeline_executions WHERE execution_id = :execution_id);

-- name: write_failure_group
UPDATE pipeline_executions SET failure_group = :failure_group WHERE execution_id = :execution_id AND status = 'failed';

-- name: rest_execution
-- It waits until the earliest time of its attempts; where that has passed, or what one of them waits for has come, it may
-- be claimed at once: what was committed before this is seen here, what comes later finds it at rest. A row for each that
-- may be. Of the questions within one run, that is when none is open any more.
UPDATE pipeline_executions AS resting
   SET status = CASE WHEN rest.is_over THEN 'pending' ELSE status END,
       run_at = CASE WHEN NOT rest.is_over THEN rest.wake_at END
  FROM (SELECT MIN(wake_at) AS wake_at,
               COALESCE(MIN(wake_at) <= ia_now(), FALSE)
               OR EXISTS (
                   SELECT within
                     FROM step_executions
                     JOIN interactions ON interactions.step_execution_id = step_executions.step_execution_id
                    WHERE step_executions.execution_id = :execution_id
                      AND (wake_at IS NOT NULL OR awaits IS NOT NULL)
                      AND step_executions.status IN ('waiting', 'pending')
                    GROUP BY within
                   HAVING SUM(CASE WHEN interactions.status = 'answered' THEN 1 ELSE 0 END) > 0
                      AND (within = '' OR SUM(CASE WHEN interactions.status = 'pending' THEN 1 ELSE 0 END) = 0)
                  ) AS is_over
          FROM step_executions
         WHERE execution_id = :execution_id
           AND (wake_at IS NOT NULL OR awaits IS NOT NULL)
           AND status IN ('waiting', 'pending')) AS rest
 WHERE resting.execution_id = :execution_id AND status IN ('waiting', 'waiting_for_human')
RETURNING execution_id, status;

-- name: start_step
INSERT INTO step_executions (
    step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, status, worker, wake_at,
    awaits, input_data, input_refs, metadata, effect, input_bytes, sequence, created_at, started_at, completed_at)
VALUES (
    :step_execution_id, :execution_id, :within, :step_id, :step_name, :step_type, :iteration, :attempt, :status, :worker,
    CASE WHEN CAST(:wake_after_seconds AS DOUBLE PRECISION) IS NOT NULL THEN ia_now(:wake_after_seconds) END,
    :awaits, :input_data, :input_refs, :metadata, :effect, :input_bytes, :sequence, ia_now(:ago_seconds),
    CASE WHEN CAST(:started AS BOOLEAN) THEN ia_now(:ago_seconds) END,
    CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now(:ago_seconds) END);

-- name: update_step
UPDATE step_executions
   SET status = COALESCE(:status, status),
       sequence = :sequence,
       worker = COALESCE(:worker, worker),
       output_data = COALESCE(:output_data, output_data),
       output_bytes = COALESCE(:output_bytes, output_bytes),
       routes = COALESCE(:routes, routes),
       error_type = COALESCE(:error_type, error_type),
       error_message = COALESCE(:error_message, error_message),
       traceback = COALESCE(:traceback, traceback),
       retry_count = COALESCE(:retry_count, retry_count),
       progress = COALESCE(:progress, progress),
       progress_message = COALESCE(:progress_message, progress_message),
       wake_at = CASE
           WHEN CAST(:wake_after_seconds AS DOUBLE PRECISION) IS NOT NULL THEN ia_now(:wake_after_seconds)
           WHEN substr(COALESCE(CAST(:awaits AS TEXT), 'ray:'), 1, 4) = 'ray:' THEN wake_at
       END,
       awaits = COALESCE(:awaits, awaits),
       started_at = CASE WHEN CAST(:started AS BOOLEAN) THEN COALESCE(started_at, ia_now()) ELSE started_at END,
       metadata = COALESCE(:metadata, metadata),
       completed_at = CASE WHEN CAST(:ended AS BOOLEAN) THEN ia_now(:ago_seconds) ELSE completed_at END
 WHERE step_execution_id = :step_execution_id;

-- name: write_usage
-- All that an attempt has told of its calls of models.
UPDATE step_executions
   SET input_tokens = :input_tokens,
       output_tokens = :output_tokens,
       cost_micros = :cost_micros,
       unpriced_calls = :unpriced_calls,
       usage = :usage,
       first_token_ms = :first_token_ms
 WHERE step_execution_id = :step_execution_id;

-- name: write_place
-- Where an attempt runs; of one that has run its fallback, where that did.
INSERT INTO step_places (step_execution_id, cluster, node, pid, resources, waited_seconds)
VALUES (:step_execution_id, :cluster, :node, :pid, :resources, :waited_seconds)
ON CONFLICT (step_execution_id) DO UPDATE
   SET cluster = excluded.cluster,
       node = excluded.node,
       pid = excluded.pid,
       resources = excluded.resources,
       waited_seconds = excluded.waited_seconds;

-- name: insert_log
-- A line that a repeated transition brings again is kept once.
INSERT INTO execution_logs (
    log_id, execution_id, step_execution_id, within, level, logger, message, data, sequence, logged_at)
VALUES (
    :log_id, :execution_id, :step_execution_id, :within, :level, :logger, :message, :data, :sequence,
    ia_now(:ago_seconds))
ON CONFLICT (log_id) DO NOTHING;

-- name: drop_output
DELETE FROM execution_logs WHERE step_execution_id = :step_execution_id AND level = 'output';

-- name: insert_interaction
INSERT INTO interactions (
    interaction_id, execution_id, step_execution_id, status, prompt, ui_schema, data, assigned_users, assigned_role,
    answers, decided_by, carries, on_timeout, sequence, created_at)
VALUES (
    :interaction_id, :execution_id, :step_execution_id, 'pending', :prompt, :ui_schema, :data, :assigned_users,
    :assigned_role, :answers, :decided_by, :carries, :on_timeout, :sequence, ia_now())
ON CONFLICT (interaction_id) DO NOTHING;

-- name: write_interaction
-- Answered, expired, assigned to others, or one answer nearer.
UPDATE interactions
   SET status = :status,
       sequence = :sequence,
       assigned_users = COALESCE(:assigned_users, assigned_users),
       completed_at = CASE WHEN CAST(:closed AS BOOLEAN) THEN ia_now() END
 WHERE interaction_id = :interaction_id
   AND status = 'pending';

-- name: cancel_requests
-- Of the executions that a process runs, those that are to be stopped.
SELECT execution_id
  FROM pipeline_executions
 WHERE owner = :owner
   AND status = 'running'
   AND cancel_requested;

-- name: insert_response
INSERT INTO interaction_responses (interaction_id, actor, revision, response, created_at)
VALUES (:interaction_id, :actor, :revision, :response, ia_now());
