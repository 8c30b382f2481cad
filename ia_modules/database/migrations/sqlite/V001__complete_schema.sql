-- requires-program: 0.1.0
-- The whole first schema. Times are ISO 8601 UTC with microseconds, so text order is time order; booleans are 0 and 1;
-- payloads are JSON as it was written. The same tables, columns, keys and checks stand in postgresql/V001.

CREATE TABLE pipelines (
    id              TEXT NOT NULL PRIMARY KEY,
    slug            TEXT NOT NULL,
    name            TEXT NOT NULL,
    description     TEXT,
    current_version INTEGER,
    is_active       INTEGER NOT NULL DEFAULT 1,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    CONSTRAINT pipeline_slug_unique UNIQUE (slug),
    CONSTRAINT pipeline_slug_present CHECK (length(slug) > 0),
    CONSTRAINT pipeline_name_present CHECK (length(name) > 0),
    CONSTRAINT pipeline_is_active_boolean CHECK (is_active IN (0, 1))
) STRICT;

CREATE TABLE pipeline_versions (
    pipeline_id   TEXT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    version       INTEGER NOT NULL,
    definition    TEXT NOT NULL,
    content_hash  TEXT NOT NULL,
    source_folder TEXT,
    created_at    TEXT NOT NULL,
    PRIMARY KEY (pipeline_id, version),
    CONSTRAINT version_counts_from_one CHECK (version >= 1),
    CONSTRAINT version_content_unique UNIQUE (pipeline_id, content_hash)
) STRICT;

CREATE TABLE pipeline_executions (
    execution_id     TEXT NOT NULL PRIMARY KEY,
    pipeline_id      TEXT NOT NULL REFERENCES pipelines (id) ON DELETE RESTRICT,
    pipeline_name    TEXT NOT NULL,
    pipeline_version INTEGER,
    status           TEXT NOT NULL,
    managed          INTEGER NOT NULL DEFAULT 0,
    trigger          TEXT NOT NULL,
    priority         INTEGER NOT NULL DEFAULT 0,
    run_at           TEXT,
    owner            TEXT,
    epoch            INTEGER NOT NULL DEFAULT 0,
    recoveries       INTEGER NOT NULL DEFAULT 0,
    sequence         INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    rerun_of         TEXT REFERENCES pipeline_executions (execution_id) ON DELETE SET NULL,
    pinned           INTEGER NOT NULL DEFAULT 0,
    idempotency_key  TEXT,
    request_hash     TEXT,
    total_steps      INTEGER NOT NULL DEFAULT 0,
    completed_steps  INTEGER NOT NULL DEFAULT 0,
    failed_steps     INTEGER NOT NULL DEFAULT 0,
    input_data       TEXT,
    output_data      TEXT,
    metadata         TEXT,
    error_type       TEXT,
    error_message    TEXT,
    created_at       TEXT NOT NULL,
    started_at       TEXT,
    completed_at     TEXT,
    FOREIGN KEY (pipeline_id, pipeline_version) REFERENCES pipeline_versions (pipeline_id, version) ON DELETE RESTRICT,
    CONSTRAINT execution_idempotent UNIQUE (pipeline_id, idempotency_key),
    CONSTRAINT execution_pipeline_name_present CHECK (length(pipeline_name) > 0),
    CONSTRAINT execution_status_valid
        CHECK (status IN ('pending', 'running', 'waiting', 'waiting_for_human', 'completed', 'failed', 'cancelled')),
    CONSTRAINT execution_completed_iff_terminal
        CHECK ((completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
    CONSTRAINT execution_started_when_running CHECK (started_at IS NOT NULL OR status IN ('pending', 'waiting', 'cancelled', 'failed')),
    CONSTRAINT execution_managed_boolean CHECK (managed IN (0, 1)),
    CONSTRAINT execution_cancel_requested_boolean CHECK (cancel_requested IN (0, 1)),
    CONSTRAINT execution_pinned_boolean CHECK (pinned IN (0, 1)),
    CONSTRAINT execution_sequence_positive CHECK (sequence >= 1),
    CONSTRAINT execution_counts_not_negative CHECK (
        epoch >= 0 AND recoveries >= 0 AND total_steps >= 0 AND completed_steps >= 0 AND failed_steps >= 0)
) STRICT;

CREATE INDEX executions_by_pipeline ON pipeline_executions (pipeline_id, execution_id);
CREATE INDEX executions_by_pipeline_status ON pipeline_executions (pipeline_id, status, execution_id);
CREATE INDEX executions_by_status ON pipeline_executions (status, execution_id);
-- With all that counting a window of time asks for, so that it reads no row.
CREATE INDEX executions_by_start ON pipeline_executions (started_at, execution_id, pipeline_id, status, completed_at);
CREATE INDEX executions_by_rerun_of ON pipeline_executions (rerun_of) WHERE rerun_of IS NOT NULL;
CREATE INDEX executions_claimable ON pipeline_executions (priority DESC, execution_id)
    WHERE status = 'pending' AND managed;
CREATE INDEX executions_owned ON pipeline_executions (owner, execution_id)
    WHERE status = 'running';

CREATE TABLE step_executions (
    step_execution_id TEXT NOT NULL PRIMARY KEY,
    execution_id      TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_id           TEXT NOT NULL,
    step_name         TEXT NOT NULL,
    step_type         TEXT NOT NULL,
    iteration         INTEGER NOT NULL,
    attempt           INTEGER NOT NULL,
    retry_count       INTEGER NOT NULL DEFAULT 0,
    status            TEXT NOT NULL,
    worker            TEXT,
    routes            TEXT,
    input_data        TEXT,
    input_refs        TEXT,
    output_data       TEXT,
    metadata          TEXT,
    input_bytes       INTEGER NOT NULL DEFAULT 0,
    output_bytes      INTEGER NOT NULL DEFAULT 0,
    error_type        TEXT,
    error_message     TEXT,
    traceback         TEXT,
    progress          REAL,
    progress_message  TEXT,
    copied_from       TEXT,
    sequence          INTEGER NOT NULL,
    created_at        TEXT NOT NULL,
    started_at        TEXT,
    completed_at      TEXT,
    CONSTRAINT step_attempt_unique UNIQUE (execution_id, step_id, iteration, attempt),
    CONSTRAINT step_id_present CHECK (length(step_id) > 0),
    CONSTRAINT step_status_valid CHECK (
        status IN ('pending', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'lost')),
    CONSTRAINT step_completed_iff_terminal
        CHECK ((completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'skipped', 'cancelled', 'lost'))),
    CONSTRAINT step_progress_fraction CHECK (progress BETWEEN 0 AND 1),
    CONSTRAINT step_sequence_positive CHECK (sequence >= 1),
    CONSTRAINT step_counts_from_one CHECK (iteration >= 1 AND attempt >= 1),
    CONSTRAINT step_counts_not_negative CHECK (retry_count >= 0 AND input_bytes >= 0 AND output_bytes >= 0)
) STRICT;

CREATE INDEX steps_by_sequence ON step_executions (execution_id, sequence);
-- Who counts retries looks only at the few attempts that were one.
CREATE INDEX steps_retried ON step_executions (execution_id) WHERE attempt > 1 OR retry_count > 0;

CREATE TABLE execution_logs (
    log_id            TEXT NOT NULL PRIMARY KEY,
    execution_id      TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id TEXT REFERENCES step_executions (step_execution_id) ON DELETE CASCADE,
    level             TEXT NOT NULL,
    message           TEXT NOT NULL,
    data              TEXT,
    sequence          INTEGER NOT NULL,
    logged_at         TEXT NOT NULL,
    CONSTRAINT log_level_valid CHECK (level IN ('debug', 'info', 'warning', 'error')),
    CONSTRAINT log_sequence_positive CHECK (sequence >= 1)
) STRICT;

CREATE INDEX logs_by_sequence ON execution_logs (execution_id, sequence);
CREATE INDEX logs_by_step ON execution_logs (step_execution_id, log_id) WHERE step_execution_id IS NOT NULL;

CREATE TABLE interactions (
    interaction_id    TEXT NOT NULL PRIMARY KEY,
    execution_id      TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id TEXT NOT NULL REFERENCES step_executions (step_execution_id) ON DELETE CASCADE,
    status            TEXT NOT NULL,
    prompt            TEXT,
    ui_schema         TEXT NOT NULL,
    data              TEXT,
    assigned_users    TEXT,
    on_timeout        TEXT,
    deadline_at       TEXT,
    sequence          INTEGER NOT NULL,
    created_at        TEXT NOT NULL,
    completed_at      TEXT,
    CONSTRAINT interaction_once_per_attempt UNIQUE (step_execution_id),
    CONSTRAINT interaction_status_valid CHECK (status IN ('pending', 'answered', 'expired', 'cancelled')),
    CONSTRAINT interaction_completed_iff_closed CHECK ((completed_at IS NOT NULL) = (status <> 'pending')),
    CONSTRAINT interaction_sequence_positive CHECK (sequence >= 1)
) STRICT;

CREATE INDEX interactions_by_execution ON interactions (execution_id, sequence);
CREATE INDEX interactions_open ON interactions (deadline_at, interaction_id) WHERE status = 'pending';

CREATE TABLE interaction_responses (
    interaction_id TEXT NOT NULL PRIMARY KEY REFERENCES interactions (interaction_id) ON DELETE CASCADE,
    actor          TEXT NOT NULL,
    response       TEXT NOT NULL,
    created_at     TEXT NOT NULL
) STRICT;

CREATE TABLE workers (
    worker_id     TEXT NOT NULL PRIMARY KEY,
    host          TEXT NOT NULL,
    pid           INTEGER NOT NULL,
    version       TEXT NOT NULL,
    slots         INTEGER NOT NULL DEFAULT 0,
    note          TEXT,
    lease_seconds REAL NOT NULL DEFAULT 15,
    started_at    TEXT NOT NULL,
    heartbeat_at  TEXT NOT NULL,
    stopped_at    TEXT,
    CONSTRAINT worker_slots_not_negative CHECK (slots >= 0),
    CONSTRAINT worker_lease_positive CHECK (lease_seconds > 0)
) STRICT;

CREATE TABLE audit_log (
    audit_id   TEXT NOT NULL PRIMARY KEY,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     TEXT,
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_subject ON audit_log (subject, audit_id);

-- From start to end in seconds, where a clock that was set back makes nothing negative; NULL until both are known.
CREATE VIEW execution_times AS
SELECT execution_id, pipeline_id, status, started_at, completed_at,
       MAX(0.0, unixepoch(completed_at) - unixepoch(started_at)
           + (CAST(substr(completed_at, 21, 6) AS INTEGER) - CAST(substr(started_at, 21, 6) AS INTEGER)) / 1e6) AS seconds
  FROM pipeline_executions;

CREATE VIEW step_times AS
SELECT step_execution_id, execution_id, step_id, iteration, attempt, retry_count, status, routes, error_message,
       started_at, completed_at,
       MAX(0.0, unixepoch(completed_at) - unixepoch(started_at)
           + (CAST(substr(completed_at, 21, 6) AS INTEGER) - CAST(substr(started_at, 21, 6) AS INTEGER)) / 1e6) AS seconds
  FROM step_executions;
