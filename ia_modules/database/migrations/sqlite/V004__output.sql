-- requires-program: 0.1.0
-- What steps give as it comes, in its order, at all levels of an execution: read from a cursor on by who follows it.
CREATE INDEX output_by_sequence ON execution_logs (execution_id, sequence, log_id) WHERE level = 'output';
