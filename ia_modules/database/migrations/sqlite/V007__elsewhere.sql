-- requires-program: 0.1.0
-- Attempts that run elsewhere, on a Ray cluster: their executions are claimed only by who is joined to that one. What
-- waits, or has ended, is not in it.
CREATE INDEX steps_elsewhere ON step_executions (execution_id) WHERE status = 'running' AND awaits IS NOT NULL;
