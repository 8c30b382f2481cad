-- requires-program: 0.1.0
-- The caller's own id of an execution. Texts are compared by their bytes, as SQLite does, so that those that begin alike
-- are one range of the index.

ALTER TABLE pipeline_executions ADD COLUMN alias TEXT COLLATE "C";
CREATE UNIQUE INDEX executions_by_alias ON pipeline_executions (alias) WHERE alias IS NOT NULL;
