-- requires-program: 0.1.0
-- What failures have in common. An execution that failed says which group it is of (failure_group); here stands, for each
-- pipeline, what the group is, and what people say of it. created_at: when it failed so for the first time. state:
-- 'mended' names the version that mends it; 'open' again where that or a later one has failed so since (reopened_at).
CREATE TABLE failure_groups (
    pipeline_id       TEXT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    failure_group     TEXT NOT NULL,
    rule              INTEGER NOT NULL,
    step_id           TEXT NOT NULL,
    error_type        TEXT NOT NULL,
    message           TEXT NOT NULL,
    state             TEXT NOT NULL DEFAULT 'open',
    mended_in_version INTEGER,
    marked_by         TEXT,
    marked_at         TEXT,
    reopened_at       TEXT,
    created_at        TEXT NOT NULL,
    PRIMARY KEY (pipeline_id, failure_group),
    CONSTRAINT failure_state_valid CHECK (state IN ('open', 'muted', 'mended')),
    CONSTRAINT failure_mended_by_a_version CHECK (state <> 'mended' OR mended_in_version >= 1),
    CONSTRAINT failure_marked_by_somebody CHECK (
        (marked_by IS NOT NULL) = (marked_at IS NOT NULL) AND (state = 'open' OR marked_at IS NOT NULL))
) STRICT;

-- With all that counting a window of time asks for, so that it reads no row.
CREATE INDEX failures_by_time
    ON pipeline_executions (completed_at, failure_group, pipeline_id, pipeline_version, execution_id)
    WHERE failure_group IS NOT NULL;

-- An execution that has ended badly may go on. reopened: the sequence of the transition that has let it, for the last
-- time; attempts that had ended until then are behind it, and what had failed for good is made again.
ALTER TABLE pipeline_executions ADD COLUMN reopened INTEGER;

-- What somebody has put in the place of single step runs of an execution: another input, or a result.
ALTER TABLE pipeline_executions ADD COLUMN overrides TEXT;

-- A question that was answered in the execution before; its answer is copied with it.
ALTER TABLE interactions ADD COLUMN carried_from TEXT;

-- An answer that is kept, too, where something in front of it is changed.
ALTER TABLE interactions ADD COLUMN carries INTEGER NOT NULL DEFAULT 0
    CONSTRAINT interaction_carries_boolean CHECK (carries IN (0, 1));

-- Which executions came from a run file, and the hash of its rows. They are copies: nobody goes on with them here.
-- went_on: it had not ended when its file was made.
CREATE TABLE imported_executions (
    execution_id TEXT NOT NULL PRIMARY KEY REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    rows_sha256  TEXT NOT NULL,
    went_on      INTEGER NOT NULL,
    imported_at  TEXT NOT NULL,
    CONSTRAINT execution_went_on_boolean CHECK (went_on IN (0, 1))
) STRICT;

-- Those of the graph that ran here: what was copied has taken no time, and counts where it ran.
DROP VIEW step_times;
CREATE VIEW step_times AS
SELECT step_execution_id, execution_id, step_id, iteration, attempt, retry_count, status, routes, error_message,
       started_at, completed_at,
       MAX(0.0, unixepoch(completed_at) - unixepoch(started_at)
           + (CAST(substr(completed_at, 21, 6) AS INTEGER) - CAST(substr(started_at, 21, 6) AS INTEGER)) / 1e6) AS seconds
  FROM step_executions
 WHERE within = '' AND copied_from IS NULL;
