-- requires-program: 0.1.0
-- What of a run's parts has not completed, by status, in the order in which they are listed: so that the failed ones of
-- 100,000 are found, and all of them counted, without reading the others. The steps of the graph are not in it.
CREATE INDEX runs_not_completed ON step_executions (execution_id, within, status, step_id, iteration)
    WHERE within <> '' AND status <> 'completed';
