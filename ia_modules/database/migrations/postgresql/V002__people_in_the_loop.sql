-- requires-program: 0.1.0
-- What failures have in common. An execution that failed says which group it is of (failure_group); here stands, for each
-- pipeline, what the group is, and what people say of it. created_at: when it failed so for the first time. state:
-- 'mended' names the version that mends it; 'open' again where that or a later one has failed so since (reopened_at).
CREATE TABLE failure_groups (
    pipeline_id       UUID NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    failure_group     TEXT NOT NULL,
    rule              INTEGER NOT NULL,
    step_id           TEXT NOT NULL,
    error_type        TEXT NOT NULL,
    message           TEXT NOT NULL,
    state             TEXT NOT NULL DEFAULT 'open',
    mended_in_version INTEGER,
    marked_by         TEXT,
    marked_at         TIMESTAMPTZ,
    reopened_at       TIMESTAMPTZ,
    created_at        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (pipeline_id, failure_group),
    CONSTRAINT failure_state_valid CHECK (state IN ('open', 'muted', 'mended')),
    CONSTRAINT failure_mended_by_a_version CHECK (state <> 'mended' OR mended_in_version >= 1),
    CONSTRAINT failure_marked_by_somebody CHECK (
        (marked_by IS NOT NULL) = (marked_at IS NOT NULL) AND (state = 'open' OR marked_at IS NOT NULL))
);

-- With all that counting a window of time asks for, so that it reads no row.
CREATE INDEX failures_by_time
    ON pipeline_executions (completed_at, failure_group, pipeline_id, pipeline_version, execution_id)
    WHERE failure_group IS NOT NULL;

-- An execution that has ended badly may go on. reopened: the sequence of the transition that has let it, for the last
-- time; attempts that had ended until then are behind it, and what had failed for good is made again.
ALTER TABLE pipeline_executions ADD COLUMN reopened BIGINT;

-- What somebody has put in the place of single step runs of an execution: another input, or a result.
ALTER TABLE pipeline_executions ADD COLUMN overrides JSON;

-- A question that was answered in the execution before; its answer is copied with it.
ALTER TABLE interactions ADD COLUMN carried_from UUID;

-- An answer that is kept, too, where something in front of it is changed.
ALTER TABLE interactions ADD COLUMN carries BOOLEAN NOT NULL DEFAULT FALSE;

-- Which executions came from a run file, and the hash of its rows. They are copies: nobody goes on with them here.
-- went_on: it had not ended when its file was made.
CREATE TABLE imported_executions (
    execution_id UUID NOT NULL PRIMARY KEY REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    rows_sha256  TEXT NOT NULL,
    went_on      BOOLEAN NOT NULL,
    imported_at  TIMESTAMPTZ NOT NULL
);

-- Those of the graph that ran here: what was copied has taken no time, and counts where it ran.
DROP VIEW step_times;
CREATE VIEW step_times AS
SELECT step_execution_id, execution_id, step_id, iteration, attempt, retry_count, status, routes, error_message,
       started_at, completed_at,
       CASE
           WHEN completed_at < started_at THEN 0.0
           ELSE CAST(EXTRACT(EPOCH FROM completed_at - started_at) AS DOUBLE PRECISION)
       END AS seconds
  FROM step_executions
 WHERE within = '' AND copied_from IS NULL;
