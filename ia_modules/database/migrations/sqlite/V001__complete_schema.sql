-- requires-program: 0.1.0
-- The whole schema. Times are ISO 8601 UTC with microseconds, so text order is time order; booleans are 0 and 1;
-- payloads are JSON as it was written. The same tables, columns, keys and rules stand in postgresql/V001.
-- ia_now and ia_fold are functions of the program, see sqlite_connection.py.

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
    CONSTRAINT pipeline_is_active_boolean CHECK (is_active IN (0, 1)),
    CONSTRAINT pipeline_slug_present CHECK (length(slug) > 0),
    CONSTRAINT pipeline_name_present CHECK (length(name) > 0)
) STRICT;

-- origin, author and note: where a version came from, who made it and what for; NULL where nobody said.
CREATE TABLE pipeline_versions (
    pipeline_id   TEXT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    version       INTEGER NOT NULL,
    definition    TEXT NOT NULL,
    content_hash  TEXT NOT NULL,
    source_folder TEXT,
    origin        TEXT,
    author        TEXT,
    note          TEXT,
    created_at    TEXT NOT NULL,
    PRIMARY KEY (pipeline_id, version),
    CONSTRAINT version_content_unique UNIQUE (pipeline_id, content_hash),
    CONSTRAINT version_counts_from_one CHECK (version >= 1)
) STRICT;

-- parent_run: the run of the parent that started it; root_execution_id: the execution around all; NULL where nothing is
-- around it. run_at: at rest until then. queue_key: '' where no other execution stands
-- in its way. What was used is NULL until something says it; money is in millionths.
-- Payloads stand last: on SQLite what comes after a large one is behind its overflow pages.
CREATE TABLE pipeline_executions (
    execution_id        TEXT NOT NULL PRIMARY KEY,
    pipeline_id         TEXT NOT NULL REFERENCES pipelines (id) ON DELETE RESTRICT,
    pipeline_name       TEXT NOT NULL,
    pipeline_version    INTEGER,
    status              TEXT NOT NULL,
    managed             INTEGER NOT NULL DEFAULT 0,
    trigger             TEXT NOT NULL,
    priority            INTEGER NOT NULL DEFAULT 0,
    run_at              TEXT,
    deadline_at         TEXT,
    queue_key           TEXT NOT NULL DEFAULT '',
    queue_limit         INTEGER,
    owner               TEXT,
    epoch               INTEGER NOT NULL DEFAULT 0,
    recoveries          INTEGER NOT NULL DEFAULT 0,
    sequence            INTEGER NOT NULL,
    cancel_requested    INTEGER NOT NULL DEFAULT 0,
    rerun_of            TEXT REFERENCES pipeline_executions (execution_id) ON DELETE SET NULL,
    parent_execution_id TEXT REFERENCES pipeline_executions (execution_id) ON DELETE SET NULL,
    parent_run          TEXT,
    root_execution_id   TEXT REFERENCES pipeline_executions (execution_id) ON DELETE SET NULL,
    depth               INTEGER NOT NULL DEFAULT 0,
    detached            INTEGER NOT NULL DEFAULT 0,
    pinned              INTEGER NOT NULL DEFAULT 0,
    what_if             INTEGER NOT NULL DEFAULT 0,
    traceparent         TEXT,
    total_steps         INTEGER NOT NULL DEFAULT 0,
    completed_steps     INTEGER NOT NULL DEFAULT 0,
    failed_steps        INTEGER NOT NULL DEFAULT 0,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    cost_micros         INTEGER,
    output_refs         TEXT,
    error_type          TEXT,
    error_message       TEXT,
    failure_group       TEXT,
    created_at          TEXT NOT NULL,
    started_at          TEXT,
    completed_at        TEXT,
    metadata            TEXT,
    input_data          TEXT,
    output_data         TEXT,
    FOREIGN KEY (pipeline_id, pipeline_version) REFERENCES pipeline_versions (pipeline_id, version) ON DELETE RESTRICT,
    CONSTRAINT execution_managed_boolean CHECK (managed IN (0, 1)),
    CONSTRAINT execution_cancel_requested_boolean CHECK (cancel_requested IN (0, 1)),
    CONSTRAINT execution_detached_boolean CHECK (detached IN (0, 1)),
    CONSTRAINT execution_pinned_boolean CHECK (pinned IN (0, 1)),
    CONSTRAINT execution_what_if_boolean CHECK (what_if IN (0, 1)),
    CONSTRAINT execution_pipeline_name_present CHECK (length(pipeline_name) > 0),
    CONSTRAINT execution_status_valid CHECK (
        status IN ('pending', 'running', 'waiting', 'waiting_for_human', 'completed', 'failed', 'cancelled')),
    CONSTRAINT execution_completed_iff_terminal CHECK (
        (completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
    CONSTRAINT execution_started_when_running CHECK (
        started_at IS NOT NULL OR status IN ('pending', 'waiting', 'cancelled', 'failed')),
    CONSTRAINT execution_run_at_only_at_rest CHECK (
        run_at IS NULL OR status IN ('waiting', 'waiting_for_human')),
    CONSTRAINT execution_sequence_positive CHECK (sequence >= 1),
    CONSTRAINT execution_queue_limit_positive CHECK (queue_limit >= 1),
    CONSTRAINT execution_depth_not_negative CHECK (depth >= 0),
    CONSTRAINT execution_counts_not_negative CHECK (
        epoch >= 0 AND recoveries >= 0 AND total_steps >= 0 AND completed_steps >= 0 AND failed_steps >= 0),
    CONSTRAINT execution_usage_not_negative CHECK (input_tokens >= 0 AND output_tokens >= 0 AND cost_micros >= 0)
) STRICT;

CREATE INDEX executions_by_pipeline ON pipeline_executions (pipeline_id, execution_id);
CREATE INDEX executions_by_pipeline_status ON pipeline_executions (pipeline_id, status, execution_id);
CREATE INDEX executions_by_status ON pipeline_executions (status, execution_id);
-- With all that counting a window of time asks for, so that it reads no row.
CREATE INDEX executions_by_start ON pipeline_executions (started_at, execution_id, pipeline_id, status, completed_at);
CREATE INDEX executions_by_rerun_of ON pipeline_executions (rerun_of) WHERE rerun_of IS NOT NULL;
CREATE INDEX executions_by_root ON pipeline_executions (root_execution_id) WHERE root_execution_id IS NOT NULL;
CREATE INDEX executions_by_failure_group ON pipeline_executions (failure_group, execution_id)
    WHERE failure_group IS NOT NULL;
-- A run has one child.
CREATE UNIQUE INDEX children_by_run ON pipeline_executions (parent_execution_id, parent_run)
    WHERE parent_execution_id IS NOT NULL;
CREATE INDEX children_open ON pipeline_executions (parent_execution_id)
    WHERE parent_execution_id IS NOT NULL AND status NOT IN ('completed', 'failed', 'cancelled');
CREATE INDEX executions_due ON pipeline_executions (run_at)
    WHERE run_at IS NOT NULL AND managed AND status IN ('waiting', 'waiting_for_human');
CREATE INDEX executions_claimable ON pipeline_executions (queue_key, priority DESC, execution_id)
    WHERE status = 'pending' AND managed;
CREATE INDEX executions_running_by_key ON pipeline_executions (queue_key)
    WHERE status = 'running' AND queue_key <> '';
CREATE INDEX executions_owned ON pipeline_executions (owner, execution_id)
    WHERE status = 'running';

-- A caller's own id of an execution. Texts are compared by their bytes, so that those that begin alike are one range.
CREATE TABLE execution_aliases (
    alias        TEXT NOT NULL PRIMARY KEY,
    execution_id TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    CONSTRAINT alias_once_per_execution UNIQUE (execution_id)
) STRICT;

-- What a caller named a request by, so that it is queued once; request_hash tells requests of one key apart.
CREATE TABLE execution_requests (
    pipeline_id     TEXT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    idempotency_key TEXT NOT NULL,
    execution_id    TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    request_hash    TEXT,
    PRIMARY KEY (pipeline_id, idempotency_key),
    CONSTRAINT request_once_per_execution UNIQUE (execution_id)
) STRICT;

-- What executions are searched by: each value of a key, beside the newest executions that have it.
CREATE TABLE execution_attributes (
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    execution_id TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    PRIMARY KEY (key, value, execution_id),
    CONSTRAINT attribute_fits_its_index CHECK (length(key) <= 200 AND length(value) <= 400)
) STRICT;

CREATE INDEX attributes_by_execution ON execution_attributes (execution_id);

-- within: the run that this one is part of, '' = the graph. wake_at and awaits: what it waits for, kept as history.
CREATE TABLE step_executions (
    step_execution_id TEXT NOT NULL PRIMARY KEY,
    execution_id      TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    within            TEXT NOT NULL DEFAULT '',
    step_id           TEXT NOT NULL,
    step_name         TEXT NOT NULL,
    step_type         TEXT NOT NULL,
    iteration         INTEGER NOT NULL,
    attempt           INTEGER NOT NULL,
    retry_count       INTEGER NOT NULL DEFAULT 0,
    status            TEXT NOT NULL,
    worker            TEXT,
    wake_at           TEXT,
    awaits            TEXT,
    item_count        INTEGER,
    effect            TEXT,
    cache_key         TEXT,
    routes            TEXT,
    input_refs        TEXT,
    input_bytes       INTEGER NOT NULL DEFAULT 0,
    output_bytes      INTEGER NOT NULL DEFAULT 0,
    error_type        TEXT,
    error_message     TEXT,
    progress          REAL,
    progress_message  TEXT,
    copied_from       TEXT,
    copied_because    TEXT,
    input_tokens      INTEGER,
    output_tokens     INTEGER,
    cost_micros       INTEGER,
    usage             TEXT,
    first_token_ms    INTEGER,
    sequence          INTEGER NOT NULL,
    created_at        TEXT NOT NULL,
    started_at        TEXT,
    completed_at      TEXT,
    traceback         TEXT,
    metadata          TEXT,
    input_data        TEXT,
    output_data       TEXT,
    CONSTRAINT step_attempt_unique UNIQUE (execution_id, within, step_id, iteration, attempt),
    CONSTRAINT step_id_present CHECK (length(step_id) > 0),
    CONSTRAINT step_status_valid CHECK (
        status IN ('pending', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'lost')),
    CONSTRAINT step_completed_iff_terminal CHECK (
        (completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'skipped', 'cancelled', 'lost'))),
    CONSTRAINT step_effect_valid CHECK (effect IN ('pure', 'read', 'write', 'external')),
    CONSTRAINT step_copied_because_valid CHECK (copied_because IN ('rerun', 'cache', 'what_if')),
    CONSTRAINT step_progress_fraction CHECK (progress BETWEEN 0 AND 1),
    CONSTRAINT step_sequence_positive CHECK (sequence >= 1),
    CONSTRAINT step_counts_from_one CHECK (iteration >= 1 AND attempt >= 1),
    CONSTRAINT step_counts_not_negative CHECK (retry_count >= 0 AND input_bytes >= 0 AND output_bytes >= 0),
    CONSTRAINT step_item_count_not_negative CHECK (item_count >= 0),
    CONSTRAINT step_usage_not_negative CHECK (input_tokens >= 0 AND output_tokens >= 0 AND cost_micros >= 0),
    CONSTRAINT step_first_token_not_negative CHECK (first_token_ms >= 0)
) STRICT;

CREATE INDEX steps_by_sequence ON step_executions (execution_id, within, sequence);
-- Who counts retries looks only at the few attempts that were one.
CREATE INDEX steps_retried ON step_executions (execution_id) WHERE within = '' AND (attempt > 1 OR retry_count > 0);
-- What an execution that comes to rest waits for: found without its history.
CREATE INDEX steps_waiting ON step_executions (execution_id)
    WHERE (wake_at IS NOT NULL OR awaits IS NOT NULL) AND status IN ('waiting', 'pending');
CREATE INDEX steps_awaiting ON step_executions (awaits)
    WHERE awaits IS NOT NULL AND status IN ('waiting', 'pending');
CREATE INDEX steps_cached ON step_executions (cache_key, step_execution_id)
    WHERE cache_key IS NOT NULL AND status = 'completed' AND copied_from IS NULL;

CREATE TABLE execution_logs (
    log_id            TEXT NOT NULL PRIMARY KEY,
    execution_id      TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id TEXT REFERENCES step_executions (step_execution_id) ON DELETE CASCADE,
    within            TEXT NOT NULL DEFAULT '',
    level             TEXT NOT NULL,
    logger            TEXT,
    message           TEXT NOT NULL,
    data              TEXT,
    sequence          INTEGER NOT NULL,
    logged_at         TEXT NOT NULL,
    CONSTRAINT log_level_valid CHECK (level IN ('debug', 'info', 'warning', 'error', 'output')),
    CONSTRAINT log_sequence_positive CHECK (sequence >= 1)
) STRICT;

CREATE INDEX logs_by_sequence ON execution_logs (execution_id, within, sequence);
CREATE INDEX logs_by_step ON execution_logs (step_execution_id, log_id) WHERE step_execution_id IS NOT NULL;

-- answers: of how many people the question wants one, NULL: of all it names. decided_by: the field of an answer that
-- decides before all have come.
CREATE TABLE interactions (
    interaction_id    TEXT NOT NULL PRIMARY KEY,
    execution_id      TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id TEXT NOT NULL REFERENCES step_executions (step_execution_id) ON DELETE CASCADE,
    status            TEXT NOT NULL,
    prompt            TEXT,
    ui_schema         TEXT NOT NULL,
    data              TEXT,
    assigned_users    TEXT,
    assigned_role     TEXT,
    answers           INTEGER DEFAULT 1,
    decided_by        TEXT,
    on_timeout        TEXT,
    sequence          INTEGER NOT NULL,
    created_at        TEXT NOT NULL,
    completed_at      TEXT,
    CONSTRAINT interaction_once_per_attempt UNIQUE (step_execution_id),
    CONSTRAINT interaction_status_valid CHECK (status IN ('pending', 'answered', 'expired', 'cancelled')),
    CONSTRAINT interaction_completed_iff_closed CHECK ((completed_at IS NOT NULL) = (status <> 'pending')),
    CONSTRAINT interaction_answers_positive CHECK (answers >= 1),
    CONSTRAINT interaction_sequence_positive CHECK (sequence >= 1)
) STRICT;

CREATE INDEX interactions_by_execution ON interactions (execution_id, sequence);
CREATE INDEX interactions_open ON interactions (interaction_id) WHERE status = 'pending';

-- What people answered. Who changes an answer gives a further revision; the newest of an actor counts.
CREATE TABLE interaction_responses (
    interaction_id TEXT NOT NULL REFERENCES interactions (interaction_id) ON DELETE CASCADE,
    actor          TEXT NOT NULL,
    revision       INTEGER NOT NULL DEFAULT 1,
    response       TEXT NOT NULL,
    created_at     TEXT NOT NULL,
    PRIMARY KEY (interaction_id, actor, revision),
    CONSTRAINT response_revision_positive CHECK (revision >= 1)
) STRICT;

-- Letters: what comes from elsewhere to an address, once, by an id that is the sender's. Without a foreign key, so that
-- sending locks no row.
CREATE TABLE events (
    event_id     TEXT NOT NULL PRIMARY KEY,
    address      TEXT NOT NULL,
    execution_id TEXT,
    payload      TEXT,
    actor        TEXT,
    created_at   TEXT NOT NULL,
    delivered_at TEXT,
    CONSTRAINT event_id_present CHECK (length(event_id) > 0),
    CONSTRAINT event_fits_its_index CHECK (length(event_id) <= 400 AND length(address) <= 500)
) STRICT;

CREATE INDEX events_by_address ON events (address, created_at);
CREATE INDEX events_undelivered ON events (event_id) WHERE delivered_at IS NULL;

-- Which execution took which letter, or, with taken false, could not. Letters may be gone by then.
CREATE TABLE event_receipts (
    event_id          TEXT NOT NULL,
    execution_id      TEXT NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id TEXT,
    taken             INTEGER NOT NULL,
    PRIMARY KEY (event_id, execution_id),
    CONSTRAINT receipt_taken_boolean CHECK (taken IN (0, 1))
) STRICT;

CREATE INDEX receipts_by_execution ON event_receipts (execution_id);

-- What starts executions by itself: at times, or when an event comes.
CREATE TABLE triggers (
    trigger_id  TEXT NOT NULL PRIMARY KEY,
    pipeline_id TEXT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    spec        TEXT NOT NULL,
    timezone    TEXT,
    input_data  TEXT,
    overlap     TEXT NOT NULL DEFAULT 'allow',
    catch_up    TEXT NOT NULL DEFAULT 'last',
    is_active   INTEGER NOT NULL DEFAULT 1,
    next_at     TEXT,
    last_at     TEXT,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    CONSTRAINT trigger_name_unique UNIQUE (pipeline_id, name),
    CONSTRAINT trigger_is_active_boolean CHECK (is_active IN (0, 1)),
    CONSTRAINT trigger_name_present CHECK (length(name) > 0),
    CONSTRAINT trigger_kind_valid CHECK (kind IN ('cron', 'every', 'event')),
    CONSTRAINT trigger_overlap_valid CHECK (overlap IN ('allow', 'skip', 'queue', 'cancel')),
    CONSTRAINT trigger_catch_up_valid CHECK (catch_up IN ('last', 'none', 'all'))
) STRICT;

CREATE INDEX triggers_due ON triggers (next_at) WHERE is_active AND next_at IS NOT NULL;

-- The limits that pipelines share, each with its rule.
CREATE TABLE limits (
    name       TEXT NOT NULL PRIMARY KEY,
    rule       TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    updated_by TEXT,
    CONSTRAINT limit_name_present CHECK (length(name) > 0)
) STRICT;

-- Who stands in line for a limit (held_at NULL), has some of it, or had (ended_at). Without a foreign key: what was
-- spent stays spent when its execution is deleted.
CREATE TABLE holds (
    hold_id      TEXT NOT NULL PRIMARY KEY,
    execution_id TEXT NOT NULL,
    run          TEXT NOT NULL,
    name         TEXT NOT NULL,
    key          TEXT NOT NULL,
    amount       INTEGER NOT NULL,
    settled      INTEGER,
    priority     INTEGER NOT NULL DEFAULT 0,
    asked_at     TEXT NOT NULL,
    held_at      TEXT,
    ended_at     TEXT
) STRICT;

-- A run asks for a limit once.
CREATE UNIQUE INDEX holds_by_run ON holds (execution_id, run, name) WHERE ended_at IS NULL;
CREATE INDEX holds_by_time ON holds (name, key, held_at);
CREATE INDEX holds_open ON holds (name, key) WHERE ended_at IS NULL;

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

-- Those of the graph; what is within a run counts there.
CREATE VIEW step_times AS
SELECT step_execution_id, execution_id, step_id, iteration, attempt, retry_count, status, routes, error_message,
       started_at, completed_at,
       MAX(0.0, unixepoch(completed_at) - unixepoch(started_at)
           + (CAST(substr(completed_at, 21, 6) AS INTEGER) - CAST(substr(started_at, 21, 6) AS INTEGER)) / 1e6) AS seconds
  FROM step_executions
 WHERE within = '';
