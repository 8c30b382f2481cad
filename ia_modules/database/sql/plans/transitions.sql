-- What plain transitions write (ia_modules/tracker/plan.py), without reading: each sentence is for one row and is run for
-- many, in this order where a database has an order. writing.sql has the sentences that do the same after reading.
--
-- A row is a tuple: the last lines before a sentence say the names of its values in their order, and their types on
-- PostgreSQL. Each row of a "swap" must change one row, or all of the plan is undone. :now is the time, asked for once.
-- /* rows */ is where PostgreSQL has the FROM of many rows.

-- name: create
-- row: execution_id uuid, pipeline_id uuid, pipeline_name text, pipeline_version integer, status text, managed boolean,
--      trigger text, priority integer, run_at timestamptz, rerun_of uuid, owner text, epoch integer, sequence bigint,
--      total_steps integer, input_data json, metadata json, traceparent text, started boolean
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at, rerun_of,
    owner, epoch, sequence, total_steps, input_data, metadata, traceparent, created_at, started_at)
SELECT :execution_id, :pipeline_id, COALESCE(:pipeline_name, (SELECT name FROM pipelines WHERE id = :pipeline_id)),
       :pipeline_version, :status, :managed, :trigger, :priority, :run_at, :rerun_of, :owner, :epoch, :sequence,
       :total_steps, :input_data, :metadata, :traceparent, :now, CASE WHEN :started THEN :now END /* rows */;

-- name: attribute
-- What an execution that begins is found by.
-- row: key text, value text, execution_id uuid
INSERT INTO execution_attributes (key, value, execution_id)
SELECT :key, :value, :execution_id /* rows */;

-- name: count
-- An execution of which only the attempts have changed.
-- swap: execution_id uuid, known_sequence bigint, known_epoch integer, sequence bigint, completed_steps integer,
--       failed_steps integer, recoveries integer
UPDATE pipeline_executions
   SET sequence = :sequence,
       completed_steps = :completed_steps,
       failed_steps = :failed_steps,
       recoveries = :recoveries
 /* rows */
 WHERE execution_id = :execution_id
   AND sequence = :known_sequence
   AND epoch = :known_epoch;

-- name: advance
-- swap: execution_id uuid, known_sequence bigint, known_epoch integer, sequence bigint, completed_steps integer,
--       failed_steps integer, recoveries integer, status text, total_steps integer, output_data json, output_refs json,
--       error_type text, error_message text, failure_group text, ended boolean
UPDATE pipeline_executions
   SET sequence = :sequence,
       completed_steps = :completed_steps,
       failed_steps = :failed_steps,
       recoveries = :recoveries,
       status = :status,
       total_steps = :total_steps,
       output_data = COALESCE(:output_data, output_data),
       output_refs = COALESCE(:output_refs, output_refs),
       error_type = COALESCE(:error_type, error_type),
       error_message = COALESCE(:error_message, error_message),
       failure_group = COALESCE(:failure_group, failure_group),
       completed_at = CASE WHEN :ended THEN :now END
 /* rows */
 WHERE execution_id = :execution_id
   AND sequence = :known_sequence
   AND epoch = :known_epoch;

-- name: spend
-- As advance, also where only the attempts have changed, with what their calls of models have used since.
-- swap: execution_id uuid, known_sequence bigint, known_epoch integer, sequence bigint, completed_steps integer,
--       failed_steps integer, recoveries integer, status text, total_steps integer, output_data json, output_refs json,
--       error_type text, error_message text, failure_group text, ended boolean,
--       input_tokens bigint, output_tokens bigint, cost_micros bigint, unpriced_calls bigint
UPDATE pipeline_executions
   SET sequence = :sequence,
       completed_steps = :completed_steps,
       failed_steps = :failed_steps,
       recoveries = :recoveries,
       status = :status,
       total_steps = :total_steps,
       output_data = COALESCE(:output_data, output_data),
       output_refs = COALESCE(:output_refs, output_refs),
       error_type = COALESCE(:error_type, error_type),
       error_message = COALESCE(:error_message, error_message),
       failure_group = COALESCE(:failure_group, failure_group),
       input_tokens = COALESCE(input_tokens + :input_tokens, :input_tokens),
       output_tokens = COALESCE(output_tokens + :output_tokens, :output_tokens),
       cost_micros = COALESCE(cost_micros + :cost_micros, cost_micros, :cost_micros),
       unpriced_calls = COALESCE(unpriced_calls + :unpriced_calls, :unpriced_calls),
       completed_at = CASE WHEN :ended THEN :now END
 /* rows */
 WHERE execution_id = :execution_id
   AND sequence = :known_sequence
   AND epoch = :known_epoch;

-- name: group
-- What a failure has in common with others, unless one of its pipeline was like it before.
-- row: failure_group text, execution_id uuid, rule integer, step_id text, error_type text, message text
INSERT INTO failure_groups (pipeline_id, failure_group, rule, step_id, error_type, message, created_at)
SELECT (SELECT pipeline_id FROM pipeline_executions WHERE execution_id = :execution_id), :failure_group, :rule, :step_id,
       :error_type, :message, :now /* rows */ WHERE TRUE
ON CONFLICT (pipeline_id, failure_group) DO NOTHING;

-- name: reopen
-- A failure that was said to be mended by this version, or by one before it.
-- row: failure_group text, execution_id uuid
UPDATE failure_groups
   SET state = 'open', reopened_at = :now
 /* rows */
 WHERE failure_group = :failure_group
   AND state = 'mended'
   AND pipeline_id = (SELECT pipeline_id FROM pipeline_executions WHERE execution_id = :execution_id)
   AND mended_in_version <= (SELECT pipeline_version FROM pipeline_executions WHERE execution_id = :execution_id);

-- name: complete
-- An attempt that has completed, of which there is no more to say.
-- row: step_execution_id uuid, sequence bigint, output_data json, output_bytes integer, routes json, retry_count integer
UPDATE step_executions
   SET status = 'completed',
       sequence = :sequence,
       output_data = COALESCE(:output_data, output_data),
       output_bytes = COALESCE(:output_bytes, output_bytes),
       routes = COALESCE(:routes, routes),
       retry_count = COALESCE(:retry_count, retry_count),
       completed_at = :now
 /* rows */
 WHERE step_execution_id = :step_execution_id;

-- name: update
-- row: step_execution_id uuid, sequence bigint, status text, worker text, output_data json, output_bytes integer,
--      routes json, error_type text, error_message text, traceback text, retry_count integer, progress double precision,
--      progress_message text, wake_after_seconds double precision, awaits text, started boolean, ended boolean
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
           WHEN :wake_after_seconds IS NOT NULL THEN ia_now(:wake_after_seconds)
           WHEN substr(COALESCE(:awaits, 'ray:'), 1, 4) = 'ray:' THEN wake_at
       END,
       awaits = COALESCE(:awaits, awaits),
       started_at = CASE WHEN :started THEN COALESCE(started_at, :now) ELSE started_at END,
       completed_at = CASE WHEN :ended THEN :now ELSE completed_at END
 /* rows */
 WHERE step_execution_id = :step_execution_id;

-- name: tell
-- As update, with all that an attempt has told of its calls of models.
-- row: step_execution_id uuid, sequence bigint, status text, worker text, output_data json, output_bytes integer,
--      routes json, error_type text, error_message text, traceback text, retry_count integer, progress double precision,
--      progress_message text, wake_after_seconds double precision, awaits text, started boolean, ended boolean,
--      input_tokens bigint, output_tokens bigint, cost_micros bigint, unpriced_calls bigint, usage json,
--      first_token_ms integer
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
           WHEN :wake_after_seconds IS NOT NULL THEN ia_now(:wake_after_seconds)
           WHEN substr(COALESCE(:awaits, 'ray:'), 1, 4) = 'ray:' THEN wake_at
       END,
       awaits = COALESCE(:awaits, awaits),
       input_tokens = :input_tokens,
       output_tokens = :output_tokens,
       cost_micros = :cost_micros,
       unpriced_calls = :unpriced_calls,
       usage = :usage,
       first_token_ms = :first_token_ms,
       started_at = CASE WHEN :started THEN COALESCE(started_at, :now) ELSE started_at END,
       completed_at = CASE WHEN :ended THEN :now ELSE completed_at END
 /* rows */
 WHERE step_execution_id = :step_execution_id;

-- name: begin
-- row: step_execution_id uuid, execution_id uuid, within text, step_id text, step_name text, step_type text,
--      iteration integer, attempt integer, status text, worker text, wake_after_seconds double precision, input_data json,
--      input_refs json, metadata json, effect text, input_bytes integer, sequence bigint, started boolean, ended boolean
INSERT INTO step_executions (
    step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, status, worker, wake_at,
    input_data, input_refs, metadata, effect, input_bytes, sequence, created_at, started_at, completed_at)
SELECT :step_execution_id, :execution_id, :within, :step_id, :step_name, :step_type, :iteration, :attempt, :status, :worker,
       CASE WHEN :wake_after_seconds IS NOT NULL THEN ia_now(:wake_after_seconds) END,
       :input_data, :input_refs, :metadata, :effect, :input_bytes, :sequence, :now,
       CASE WHEN :started THEN :now END, CASE WHEN :ended THEN :now END /* rows */;

-- name: begin_elsewhere
-- As begin, within an attempt that runs elsewhere.
-- row: step_execution_id uuid, execution_id uuid, within text, step_id text, step_name text, step_type text,
--      iteration integer, attempt integer, status text, worker text, wake_after_seconds double precision, input_data json,
--      input_refs json, metadata json, effect text, input_bytes integer, sequence bigint, started boolean, ended boolean,
--      awaits text
INSERT INTO step_executions (
    step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, status, worker, wake_at,
    input_data, input_refs, metadata, effect, input_bytes, sequence, created_at, started_at, completed_at, awaits)
SELECT :step_execution_id, :execution_id, :within, :step_id, :step_name, :step_type, :iteration, :attempt, :status, :worker,
       CASE WHEN :wake_after_seconds IS NOT NULL THEN ia_now(:wake_after_seconds) END,
       :input_data, :input_refs, :metadata, :effect, :input_bytes, :sequence, :now,
       CASE WHEN :started THEN :now END, CASE WHEN :ended THEN :now END, :awaits /* rows */;

-- name: log
-- row: log_id uuid, execution_id uuid, step_execution_id uuid, within text, level text, logger text,
--      message text, data json, sequence bigint, ago_seconds double precision
INSERT INTO execution_logs (
    log_id, execution_id, step_execution_id, within, level, logger, message, data, sequence, logged_at)
SELECT :log_id, :execution_id, :step_execution_id, :within, :level, :logger, :message, :data, :sequence,
       ia_now(:ago_seconds)
 /* rows */ WHERE TRUE
ON CONFLICT (log_id) DO NOTHING;

-- name: drop_output
-- The lines of an attempt of level output, from before.
-- row: step_execution_id uuid
DELETE FROM execution_logs
 WHERE step_execution_id IS NOT NULL
   AND level = 'output'
   AND step_execution_id IN (SELECT :step_execution_id /* rows */);
