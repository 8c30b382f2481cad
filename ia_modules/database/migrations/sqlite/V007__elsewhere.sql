-- requires-program: 0.1.0
-- Attempts that run elsewhere, on a Ray cluster: their executions are claimed only by who is joined to that one. What
-- waits, or has ended, is not in it.
CREATE INDEX steps_elsewhere ON step_executions (execution_id) WHERE status = 'running' AND awaits IS NOT NULL;

-- Where an attempt runs, or ran, on a cluster. resources: what it has of it, JSON. waited_seconds: until it had that.
CREATE TABLE step_places (
    step_execution_id TEXT NOT NULL PRIMARY KEY REFERENCES step_executions (step_execution_id) ON DELETE CASCADE,
    cluster           TEXT NOT NULL,
    node              TEXT NOT NULL,
    pid               INTEGER NOT NULL,
    resources         TEXT NOT NULL,
    waited_seconds    REAL NOT NULL,
    CONSTRAINT place_waited_not_negative CHECK (waited_seconds >= 0)
) STRICT;

-- The cluster that a process has joined: its identity, and of each node what it has and what of that is free. NULL: none.
ALTER TABLE workers ADD COLUMN cluster TEXT;
