-- requires-program: 0.1.0
-- How far the trace of an execution has been handed on: what ended up to the sequence `exported` has been, up to `upto`
-- it has been taken by `writer`. ended: the sequence up to which the execution's own span is among it; 0: it is not.
CREATE TABLE execution_traces (
    execution_id TEXT NOT NULL PRIMARY KEY REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    exported     INTEGER NOT NULL,
    upto         INTEGER NOT NULL,
    ended        INTEGER NOT NULL,
    writer       TEXT NOT NULL,
    CONSTRAINT trace_exported_what_was_taken CHECK (exported BETWEEN 0 AND upto)
) STRICT;

CREATE INDEX traces_under_way ON execution_traces (execution_id) WHERE exported < upto;
