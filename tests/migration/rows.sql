-- Rows in every table, as a database may have them; for both databases. A new table or column gets its rows here.
INSERT INTO pipelines (id, slug, name, description, current_version, is_active, created_at, updated_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000001', 'nightly', 'Nightly import', 'Grüße, 世界', 2, TRUE,
     '2026-11-28T12:00:00.000000Z', '2026-11-28T12:00:00.000001Z');
INSERT INTO pipeline_versions (
    pipeline_id, version, definition, content_hash, source_folder, origin, author, note, created_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000001', 1, '{"name": "Nightly import", "steps": []}', 'one', NULL, NULL, NULL, NULL,
     '2026-11-28T12:00:00.000000Z'),
    ('0199c3f2-0000-7000-8000-000000000001', 2,
     '{"name": "Nightly import", "steps": [{"id": "ask", "type": "human_input", "prompt": "Well?"}], "flow": {"start_at": "ask"}}',
     'two', '/srv/pipelines', 'file', 'ann', 'asks a person', '2026-11-28T12:00:00.000000Z');
INSERT INTO workers (worker_id, host, pid, version, slots, note, lease_seconds, started_at, heartbeat_at, stopped_at) VALUES
    ('host-7-a', 'host', 7, '0.1.0', 4, NULL, 15, '2026-11-28T12:00:00.000000Z', '2026-11-28T12:00:05.000000Z',
     '2026-11-28T12:00:06.000000Z');
INSERT INTO pipeline_executions (
    execution_id, pipeline_id, pipeline_name, pipeline_version, status, managed, trigger, priority, run_at, deadline_at,
    queue_key, queue_limit, owner, epoch, recoveries, sequence, cancel_requested, rerun_of, parent_execution_id, parent_run,
    root_execution_id, depth, detached, pinned, what_if, traceparent, total_steps, completed_steps, failed_steps,
    input_tokens, output_tokens, cost_micros, input_data, output_data, metadata, error_type, error_message, failure_group,
    created_at, started_at, completed_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000010', '0199c3f2-0000-7000-8000-000000000001', 'Nightly import', 2, 'completed',
     TRUE, 'api', -3, NULL, NULL, '', NULL, NULL, 2, 1, 9, FALSE, NULL, NULL, NULL, NULL, 0, FALSE, TRUE, FALSE,
     '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 1, 1, 0, 120, 30, 4500000000, '{"n": 1}',
     '{"human_input": {"yes": true}}', '{"team": "data"}', NULL, NULL, NULL, '2026-11-28T12:00:00.000000Z',
     '2026-11-28T12:00:01.000000Z', '2026-11-28T12:00:09.000000Z'),
    ('0199c3f2-0000-7000-8000-000000000011', '0199c3f2-0000-7000-8000-000000000001', 'Nightly import', 1, 'failed',
     FALSE, 'program', 0, NULL, NULL, '', NULL, NULL, 1, 0, 4, FALSE, '0199c3f2-0000-7000-8000-000000000010',
     '0199c3f2-0000-7000-8000-000000000010', 'ask#1', '0199c3f2-0000-7000-8000-000000000010', 1, TRUE, FALSE, FALSE, NULL,
     0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 'ProcessLost', 'Its process is gone.', '0f3a9c2b7d4e1856',
     '2026-11-28T12:00:00.000000Z', '2026-11-28T12:00:01.000000Z', '2026-11-28T12:00:09.000000Z'),
    ('0199c3f2-0000-7000-8000-000000000012', '0199c3f2-0000-7000-8000-000000000001', 'Nightly import', 2, 'waiting',
     TRUE, 'api', 0, '2036-11-28T12:00:00.000000Z', '2036-11-28T13:00:00.000000Z', 'nightly/42', 5, NULL, 0, 0, 1, FALSE,
     NULL, NULL, NULL, NULL, 0, FALSE, FALSE, TRUE, NULL, 1, 0, 0, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL,
     '2026-11-28T12:00:00.000000Z', NULL, NULL);
INSERT INTO failure_groups (
    pipeline_id, failure_group, rule, step_id, error_type, message, state, mended_in_version, marked_by, marked_at,
    reopened_at, created_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000001', '0f3a9c2b7d4e1856', 1, 'ask', 'ProcessLost', 'Its process is gone.', 'mended',
     2, 'ann', '2026-11-28T12:30:00.000000Z', '2026-11-28T12:40:00.000000Z', '2026-11-28T12:00:09.000000Z');
INSERT INTO execution_aliases (alias, execution_id) VALUES ('order 17/ü', '0199c3f2-0000-7000-8000-000000000010');
INSERT INTO execution_requests (pipeline_id, idempotency_key, execution_id, request_hash) VALUES
    ('0199c3f2-0000-7000-8000-000000000001', 'monday', '0199c3f2-0000-7000-8000-000000000010', 'hash');
INSERT INTO execution_attributes (key, value, execution_id) VALUES
    ('metadata.team', 'data', '0199c3f2-0000-7000-8000-000000000010');
INSERT INTO step_executions (
    step_execution_id, execution_id, within, step_id, step_name, step_type, iteration, attempt, retry_count, status, worker,
    wake_at, awaits, item_count, effect, cache_key, routes, input_data, input_refs, output_data, metadata, input_bytes,
    output_bytes, error_type, error_message, traceback, progress, progress_message, copied_from, copied_because,
    input_tokens, output_tokens, cost_micros, usage, first_token_ms, sequence, created_at, started_at, completed_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000020', '0199c3f2-0000-7000-8000-000000000010', '', 'ask', 'Ask', 'human_input', 1, 1,
     0, 'completed', 'host-7-a', '2026-11-28T13:00:00.000000Z', 'answer', NULL, 'external', NULL,
     '{"next": "paths", "paths": []}', '{"n": 1}', '{"parents": [], "state": true}', '{"human_input": {"yes": true}}',
     '{"k": 1}', 8, 30, NULL, NULL, NULL, 0.5, 'half way', NULL, NULL, 120, 30, 4500000000, '[{"calls": 1}]', 250, 8,
     '2026-11-28T12:00:01.000000Z', '2026-11-28T12:00:01.000000Z', '2026-11-28T12:00:08.000000Z'),
    ('0199c3f2-0000-7000-8000-000000000021', '0199c3f2-0000-7000-8000-000000000010', 'ask#1', 'search', 'Search', 'inner',
     1, 2, 1, 'failed', 'host-7-a', NULL, NULL, 60, 'read', 'key', NULL, NULL, NULL, NULL, NULL, 0, 0, 'OSError',
     'no answer', 'Traceback …', NULL, NULL, '0199c3f2-0000-7000-8000-000000000020', 'cache', NULL, NULL, NULL, NULL, NULL,
     5, '2026-11-28T12:00:02.000000Z', '2026-11-28T12:00:02.000000Z', '2026-11-28T12:00:03.000000Z');
INSERT INTO execution_logs (
    log_id, execution_id, step_execution_id, within, level, logger, message, data, sequence, logged_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000030', '0199c3f2-0000-7000-8000-000000000010',
     '0199c3f2-0000-7000-8000-000000000020', '', 'info', 'app', 'A line', '{"k": 1}', 2, '2026-11-28T12:00:02.000000Z'),
    ('0199c3f2-0000-7000-8000-000000000031', '0199c3f2-0000-7000-8000-000000000010',
     '0199c3f2-0000-7000-8000-000000000021', 'ask#1', 'output', NULL, 'text', NULL, 3, '2026-11-28T12:00:03.000000Z');
INSERT INTO interactions (
    interaction_id, execution_id, step_execution_id, status, prompt, ui_schema, data, assigned_users, assigned_role, answers,
    decided_by, on_timeout, sequence, created_at, completed_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000040', '0199c3f2-0000-7000-8000-000000000010',
     '0199c3f2-0000-7000-8000-000000000020', 'answered', 'Well?', '{}', '{"n": 1}', '["ann"]', 'operator', 2, 'yes',
     '"fail"', 7, '2026-11-28T12:00:01.000000Z', '2026-11-28T12:00:07.000000Z');
INSERT INTO interaction_responses (interaction_id, actor, revision, response, created_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000040', 'ann', 1, '{"yes": true}', '2026-11-28T12:00:07.000000Z');
INSERT INTO events (event_id, address, execution_id, payload, actor, created_at, delivered_at) VALUES
    ('evt 1', 'event:order-paid:42', NULL, '{"amount": 5}', 'shop', '2026-11-28T12:00:02.000000Z',
     '2026-11-28T12:00:03.000000Z');
INSERT INTO event_receipts (event_id, execution_id, step_execution_id, taken) VALUES
    ('evt 1', '0199c3f2-0000-7000-8000-000000000010', '0199c3f2-0000-7000-8000-000000000020', TRUE);
INSERT INTO triggers (
    trigger_id, pipeline_id, name, kind, spec, timezone, input_data, overlap, catch_up, is_active, next_at, last_at,
    created_at, updated_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000050', '0199c3f2-0000-7000-8000-000000000001', 'at two', 'cron', '0 2 * * *',
     'Europe/Berlin', '{}', 'skip', 'last', TRUE, '2036-11-28T01:00:00.000000Z', NULL, '2026-11-28T12:00:00.000000Z',
     '2026-11-28T12:00:00.000000Z');
INSERT INTO limits (name, rule, updated_at, updated_by) VALUES
    ('openai', '{"concurrency": 20}', '2026-11-28T12:00:00.000000Z', 'ann');
INSERT INTO holds (hold_id, execution_id, run, name, key, amount, settled, priority, asked_at, held_at, ended_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000060', '0199c3f2-0000-7000-8000-000000000010', 'ask#1', 'openai', '42', 200000,
     180000, 0, '2026-11-28T12:00:01.000000Z', '2026-11-28T12:00:01.000000Z', '2026-11-28T12:00:08.000000Z');
INSERT INTO audit_log (audit_id, actor, action, subject, detail, created_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000070', 'ann', 'interaction.answer', '0199c3f2-0000-7000-8000-000000000040', NULL,
     '2026-11-28T12:00:07.000000Z');
UPDATE pipeline_executions
   SET reopened = 4,
       overrides = '[{"step_id": "ask", "iteration": 1, "parents": [], "closes_loop": false, "input": {}, "actor": "ann"}]'
 WHERE execution_id = '0199c3f2-0000-7000-8000-000000000010';
UPDATE interactions
   SET carried_from = '0199c3f2-0000-7000-8000-000000000041', carries = TRUE
 WHERE interaction_id = '0199c3f2-0000-7000-8000-000000000040';
INSERT INTO imported_executions (execution_id, rows_sha256, went_on, imported_at) VALUES
    ('0199c3f2-0000-7000-8000-000000000010', '5f2b', FALSE, '2026-11-28T12:00:09.000000Z');
UPDATE pipeline_executions SET unpriced_calls = 2 WHERE execution_id = '0199c3f2-0000-7000-8000-000000000010';
UPDATE step_executions SET unpriced_calls = 2 WHERE step_execution_id = '0199c3f2-0000-7000-8000-000000000020';
INSERT INTO execution_traces (execution_id, exported, upto, ended, writer) VALUES
    ('0199c3f2-0000-7000-8000-000000000010', 3, 5, 0, 'host:1:00000000');
UPDATE workers
   SET cluster = '{"cluster":"session_1","nodes":[{"node":"a1b2","total":{"CPU":4.0},"free":{"CPU":3.0}}]}'
 WHERE worker_id = 'host-7-a';
INSERT INTO step_places (step_execution_id, cluster, node, pid, resources, waited_seconds) VALUES
    ('0199c3f2-0000-7000-8000-000000000020', 'session_1', 'a1b2', 4711, '{"CPU":1.0}', 0.5);
