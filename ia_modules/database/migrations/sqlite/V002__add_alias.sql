-- requires-program: 0.1.0
-- The caller's own id of an execution.

ALTER TABLE pipeline_executions ADD COLUMN alias TEXT;
CREATE UNIQUE INDEX executions_by_alias ON pipeline_executions (alias) WHERE alias IS NOT NULL;
