-- requires-program: 0.1.0
-- Calls of models whose cost nobody knows, beside the sums of those whose cost is known; NULL: nothing was told of any.
ALTER TABLE pipeline_executions ADD COLUMN unpriced_calls BIGINT
    CONSTRAINT execution_unpriced_not_negative CHECK (unpriced_calls >= 0);
ALTER TABLE step_executions ADD COLUMN unpriced_calls BIGINT
    CONSTRAINT step_unpriced_not_negative CHECK (unpriced_calls >= 0);

-- Executions that cost something, the dearest first. Those of which no cost is known are not in it.
CREATE INDEX executions_by_cost ON pipeline_executions (cost_micros, execution_id) WHERE cost_micros IS NOT NULL;

-- Attempts that have told what they used, by their time: an id begins with that.
CREATE INDEX steps_with_usage ON step_executions (step_execution_id) WHERE usage IS NOT NULL;
