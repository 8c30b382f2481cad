-- requires-program: 0.1.0
-- The whole schema. The same tables, columns, keys and rules stand in sqlite/V001, except the rules that a BOOLEAN
-- needs none of. Payloads are JSON, not JSONB: kept as they were written. This file is ASCII: an encoding may have no more.

-- The clock of every row. Volatile, as it is the time of the call: a comparison with it filters rows, it never narrows
-- an index scan; where that matters, ask for it in a subquery: WHERE heartbeat_at < (SELECT ia_now(-30)).
CREATE FUNCTION ia_now() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN clock_timestamp();

-- So many seconds from now; before now when negative.
CREATE FUNCTION ia_now(offset_seconds DOUBLE PRECISION) RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN ia_now() + make_interval(secs => offset_seconds);

-- What a search compares: text without the difference of upper and lower case, in every script; i with a dot
-- and without are one letter. A database's own rule may know ASCII only (C), so the best collation that this server has
-- is chosen; the first two map one letter to several (a sharp s to SS).
DO $$
DECLARE
    is_unicode BOOLEAN := getdatabaseencoding() = 'UTF8';
    rule TEXT := '';
    lowered TEXT;
BEGIN
    IF is_unicode THEN
        SELECT COALESCE(min(format('COLLATE pg_catalog.%I', collname)), '') INTO rule
          FROM (SELECT collname
                  FROM pg_collation
                 WHERE collnamespace = 'pg_catalog'::regnamespace
                   AND collname IN ('pg_unicode_fast', 'und-x-icu', 'pg_c_utf8')
                 ORDER BY array_position(ARRAY['pg_unicode_fast', 'und-x-icu', 'pg_c_utf8'], collname::TEXT)
                 LIMIT 1) AS best;
    END IF;
    lowered := format('lower(phrase %s)', rule);
    IF is_unicode THEN  -- the dot that a large i with a dot leaves
        lowered := format('replace(%s, ''i'' || chr(775), ''i'')', lowered);
    END IF;
    EXECUTE format(
        'CREATE FUNCTION ia_fold(phrase TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN upper(%s %s)',
        lowered, rule);
END
$$;

CREATE TABLE pipelines (
    id              UUID NOT NULL PRIMARY KEY,
    slug            TEXT NOT NULL,
    name            TEXT NOT NULL,
    description     TEXT,
    current_version INTEGER,
    is_active       BOOLEAN NOT NULL DEFAULT TRUE,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT pipeline_slug_unique UNIQUE (slug),
    CONSTRAINT pipeline_slug_present CHECK (length(slug) > 0),
    CONSTRAINT pipeline_name_present CHECK (length(name) > 0)
);

-- origin, author and note: where a version came from, who made it and what for; NULL where nobody said.
CREATE TABLE pipeline_versions (
    pipeline_id   UUID NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    version       INTEGER NOT NULL,
    definition    JSON NOT NULL,
    content_hash  TEXT NOT NULL,
    source_folder TEXT,
    origin        TEXT,
    author        TEXT,
    note          TEXT,
    created_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (pipeline_id, version),
    CONSTRAINT version_content_unique UNIQUE (pipeline_id, content_hash),
    CONSTRAINT version_counts_from_one CHECK (version >= 1)
);

-- The rules of an execution. PostgreSQL prepares each CHECK of a table anew for each statement, which may cost more than
-- its other work; a function in PL/pgSQL is prepared once for a session. Its error has the name of the broken rule.
CREATE FUNCTION ia_execution_valid(
    pipeline_name TEXT, status TEXT, run_at TIMESTAMPTZ, queue_limit INTEGER, epoch INTEGER, recoveries INTEGER,
    sequence BIGINT, depth INTEGER, total_steps INTEGER, completed_steps INTEGER, failed_steps INTEGER,
    input_tokens BIGINT, output_tokens BIGINT, cost_micros BIGINT, started_at TIMESTAMPTZ, completed_at TIMESTAMPTZ
) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    broken TEXT := CASE
        WHEN NOT (length(pipeline_name) > 0) THEN 'execution_pipeline_name_present'
        WHEN NOT (
            status IN ('pending', 'running', 'waiting', 'waiting_for_human', 'completed', 'failed', 'cancelled'))
        THEN 'execution_status_valid'
        WHEN NOT (
            (completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))
        THEN 'execution_completed_iff_terminal'
        WHEN NOT (
            started_at IS NOT NULL OR status IN ('pending', 'waiting', 'cancelled', 'failed'))
        THEN 'execution_started_when_running'
        WHEN NOT (
            run_at IS NULL OR status IN ('waiting', 'waiting_for_human'))
        THEN 'execution_run_at_only_at_rest'
        WHEN NOT (sequence >= 1) THEN 'execution_sequence_positive'
        WHEN NOT (queue_limit >= 1) THEN 'execution_queue_limit_positive'
        WHEN NOT (depth >= 0) THEN 'execution_depth_not_negative'
        WHEN NOT (
            epoch >= 0 AND recoveries >= 0 AND total_steps >= 0 AND completed_steps >= 0 AND failed_steps >= 0)
        THEN 'execution_counts_not_negative'
        WHEN NOT (input_tokens >= 0 AND output_tokens >= 0 AND cost_micros >= 0) THEN 'execution_usage_not_negative'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'the row breaks the rule "%"', broken USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN TRUE;
END
$$;

-- parent_run: the run of the parent that started it; root_execution_id: the execution around all; NULL where nothing is
-- around it. run_at: at rest until then. queue_key: '' where no other execution stands
-- in its way. What was used is NULL until something says it; money is in millionths.
-- Payloads stand last: on SQLite what comes after a large one is behind its overflow pages.
CREATE TABLE pipeline_executions (
    execution_id        UUID NOT NULL PRIMARY KEY,
    pipeline_id         UUID NOT NULL REFERENCES pipelines (id) ON DELETE RESTRICT,
    pipeline_name       TEXT NOT NULL,
    pipeline_version    INTEGER,
    status              TEXT NOT NULL,
    managed             BOOLEAN NOT NULL DEFAULT FALSE,
    trigger             TEXT NOT NULL,
    priority            INTEGER NOT NULL DEFAULT 0,
    run_at              TIMESTAMPTZ,
    deadline_at         TIMESTAMPTZ,
    queue_key           TEXT COLLATE "C" NOT NULL DEFAULT '',
    queue_limit         INTEGER,
    owner               TEXT,
    epoch               INTEGER NOT NULL DEFAULT 0,
    recoveries          INTEGER NOT NULL DEFAULT 0,
    sequence            BIGINT NOT NULL,
    cancel_requested    BOOLEAN NOT NULL DEFAULT FALSE,
    rerun_of            UUID REFERENCES pipeline_executions (execution_id) ON DELETE SET NULL,
    parent_execution_id UUID REFERENCES pipeline_executions (execution_id) ON DELETE SET NULL,
    parent_run          TEXT COLLATE "C",
    root_execution_id   UUID REFERENCES pipeline_executions (execution_id) ON DELETE SET NULL,
    depth               INTEGER NOT NULL DEFAULT 0,
    detached            BOOLEAN NOT NULL DEFAULT FALSE,
    pinned              BOOLEAN NOT NULL DEFAULT FALSE,
    what_if             BOOLEAN NOT NULL DEFAULT FALSE,
    traceparent         TEXT,
    total_steps         INTEGER NOT NULL DEFAULT 0,
    completed_steps     INTEGER NOT NULL DEFAULT 0,
    failed_steps        INTEGER NOT NULL DEFAULT 0,
    input_tokens        BIGINT,
    output_tokens       BIGINT,
    cost_micros         BIGINT,
    output_refs         JSON,
    error_type          TEXT,
    error_message       TEXT,
    failure_group       TEXT,
    created_at          TIMESTAMPTZ NOT NULL,
    started_at          TIMESTAMPTZ,
    completed_at        TIMESTAMPTZ,
    metadata            JSON,
    input_data          JSON,
    output_data         JSON,
    FOREIGN KEY (pipeline_id, pipeline_version) REFERENCES pipeline_versions (pipeline_id, version) ON DELETE RESTRICT,
    CONSTRAINT execution_valid CHECK (ia_execution_valid(
        pipeline_name, status, run_at, queue_limit, epoch, recoveries, sequence, depth, total_steps, completed_steps,
        failed_steps, input_tokens, output_tokens, cost_micros, started_at, completed_at))
) WITH (fillfactor = 50);

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
    alias        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    execution_id UUID NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    CONSTRAINT alias_once_per_execution UNIQUE (execution_id)
);

-- What a caller named a request by, so that it is queued once; request_hash tells requests of one key apart.
CREATE TABLE execution_requests (
    pipeline_id     UUID NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    execution_id    UUID NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    request_hash    TEXT,
    PRIMARY KEY (pipeline_id, idempotency_key),
    CONSTRAINT request_once_per_execution UNIQUE (execution_id)
);

-- What executions are searched by: each value of a key, beside the newest executions that have it.
CREATE TABLE execution_attributes (
    key          TEXT COLLATE "C" NOT NULL,
    value        TEXT COLLATE "C" NOT NULL,
    execution_id UUID NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    PRIMARY KEY (key, value, execution_id),
    CONSTRAINT attribute_fits_its_index CHECK (length(key) <= 200 AND length(value) <= 400)
);

CREATE INDEX attributes_by_execution ON execution_attributes (execution_id);

-- The rules of an attempt, as those of an execution.
CREATE FUNCTION ia_step_valid(
    step_id TEXT, iteration INTEGER, attempt INTEGER, retry_count INTEGER, status TEXT, item_count INTEGER,
    effect TEXT, input_bytes INTEGER, output_bytes INTEGER, progress DOUBLE PRECISION, copied_because TEXT,
    input_tokens BIGINT, output_tokens BIGINT, cost_micros BIGINT, first_token_ms INTEGER, sequence BIGINT,
    completed_at TIMESTAMPTZ
) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    broken TEXT := CASE
        WHEN NOT (length(step_id) > 0) THEN 'step_id_present'
        WHEN NOT (
            status IN ('pending', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled', 'lost'))
        THEN 'step_status_valid'
        WHEN NOT (
            (completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'skipped', 'cancelled', 'lost')))
        THEN 'step_completed_iff_terminal'
        WHEN NOT (effect IN ('pure', 'read', 'write', 'external')) THEN 'step_effect_valid'
        WHEN NOT (copied_because IN ('rerun', 'cache', 'what_if')) THEN 'step_copied_because_valid'
        WHEN NOT (progress BETWEEN 0 AND 1) THEN 'step_progress_fraction'
        WHEN NOT (sequence >= 1) THEN 'step_sequence_positive'
        WHEN NOT (iteration >= 1 AND attempt >= 1) THEN 'step_counts_from_one'
        WHEN NOT (retry_count >= 0 AND input_bytes >= 0 AND output_bytes >= 0) THEN 'step_counts_not_negative'
        WHEN NOT (item_count >= 0) THEN 'step_item_count_not_negative'
        WHEN NOT (input_tokens >= 0 AND output_tokens >= 0 AND cost_micros >= 0) THEN 'step_usage_not_negative'
        WHEN NOT (first_token_ms >= 0) THEN 'step_first_token_not_negative'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'the row breaks the rule "%"', broken USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN TRUE;
END
$$;

-- within: the run that this one is part of, '' = the graph. wake_at and awaits: what it waits for, kept as history.
CREATE TABLE step_executions (
    step_execution_id UUID NOT NULL PRIMARY KEY,
    execution_id      UUID NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    within            TEXT COLLATE "C" NOT NULL DEFAULT '',
    step_id           TEXT NOT NULL,
    step_name         TEXT NOT NULL,
    step_type         TEXT NOT NULL,
    iteration         INTEGER NOT NULL,
    attempt           INTEGER NOT NULL,
    retry_count       INTEGER NOT NULL DEFAULT 0,
    status            TEXT NOT NULL,
    worker            TEXT,
    wake_at           TIMESTAMPTZ,
    awaits            TEXT COLLATE "C",
    item_count        INTEGER,
    effect            TEXT,
    cache_key         TEXT,
    routes            JSON,
    input_refs        JSON,
    input_bytes       INTEGER NOT NULL DEFAULT 0,
    output_bytes      INTEGER NOT NULL DEFAULT 0,
    error_type        TEXT,
    error_message     TEXT,
    progress          DOUBLE PRECISION,
    progress_message  TEXT,
    copied_from       UUID,
    copied_because    TEXT,
    input_tokens      BIGINT,
    output_tokens     BIGINT,
    cost_micros       BIGINT,
    usage             JSON,
    first_token_ms    INTEGER,
    sequence          BIGINT NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    started_at        TIMESTAMPTZ,
    completed_at      TIMESTAMPTZ,
    traceback         TEXT,
    metadata          JSON,
    input_data        JSON,
    output_data       JSON,
    CONSTRAINT step_attempt_unique UNIQUE (execution_id, within, step_id, iteration, attempt),
    CONSTRAINT step_valid CHECK (ia_step_valid(
        step_id, iteration, attempt, retry_count, status, item_count, effect, input_bytes, output_bytes, progress,
        copied_because, input_tokens, output_tokens, cost_micros, first_token_ms, sequence, completed_at))
) WITH (fillfactor = 70);

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
    log_id            UUID NOT NULL PRIMARY KEY,
    execution_id      UUID NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id UUID REFERENCES step_executions (step_execution_id) ON DELETE CASCADE,
    within            TEXT COLLATE "C" NOT NULL DEFAULT '',
    level             TEXT NOT NULL,
    logger            TEXT,
    message           TEXT NOT NULL,
    data              JSON,
    sequence          BIGINT NOT NULL,
    logged_at         TIMESTAMPTZ NOT NULL,
    CONSTRAINT log_level_valid CHECK (level IN ('debug', 'info', 'warning', 'error', 'output')),
    CONSTRAINT log_sequence_positive CHECK (sequence >= 1)
);

CREATE INDEX logs_by_sequence ON execution_logs (execution_id, within, sequence);
CREATE INDEX logs_by_step ON execution_logs (step_execution_id, log_id) WHERE step_execution_id IS NOT NULL;

-- answers: of how many people the question wants one, NULL: of all it names. decided_by: the field of an answer that
-- decides before all have come.
CREATE TABLE interactions (
    interaction_id    UUID NOT NULL PRIMARY KEY,
    execution_id      UUID NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id UUID NOT NULL REFERENCES step_executions (step_execution_id) ON DELETE CASCADE,
    status            TEXT NOT NULL,
    prompt            TEXT,
    ui_schema         JSON NOT NULL,
    data              JSON,
    assigned_users    JSON,
    assigned_role     TEXT,
    answers           INTEGER DEFAULT 1,
    decided_by        TEXT,
    on_timeout        JSON,
    sequence          BIGINT NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    completed_at      TIMESTAMPTZ,
    CONSTRAINT interaction_once_per_attempt UNIQUE (step_execution_id),
    CONSTRAINT interaction_status_valid CHECK (status IN ('pending', 'answered', 'expired', 'cancelled')),
    CONSTRAINT interaction_completed_iff_closed CHECK ((completed_at IS NOT NULL) = (status <> 'pending')),
    CONSTRAINT interaction_answers_positive CHECK (answers >= 1),
    CONSTRAINT interaction_sequence_positive CHECK (sequence >= 1)
);

CREATE INDEX interactions_by_execution ON interactions (execution_id, sequence);
CREATE INDEX interactions_open ON interactions (interaction_id) WHERE status = 'pending';

-- What people answered. Who changes an answer gives a further revision; the newest of an actor counts.
CREATE TABLE interaction_responses (
    interaction_id UUID NOT NULL REFERENCES interactions (interaction_id) ON DELETE CASCADE,
    actor          TEXT NOT NULL,
    revision       INTEGER NOT NULL DEFAULT 1,
    response       JSON NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (interaction_id, actor, revision),
    CONSTRAINT response_revision_positive CHECK (revision >= 1)
);

-- Letters: what comes from elsewhere to an address, once, by an id that is the sender's. Without a foreign key, so that
-- sending locks no row.
CREATE TABLE events (
    event_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    address      TEXT COLLATE "C" NOT NULL,
    execution_id UUID,
    payload      JSON,
    actor        TEXT,
    created_at   TIMESTAMPTZ NOT NULL,
    delivered_at TIMESTAMPTZ,
    CONSTRAINT event_id_present CHECK (length(event_id) > 0),
    CONSTRAINT event_fits_its_index CHECK (length(event_id) <= 400 AND length(address) <= 500)
);

CREATE INDEX events_by_address ON events (address, created_at);
CREATE INDEX events_undelivered ON events (event_id) WHERE delivered_at IS NULL;

-- Which execution took which letter, or, with taken false, could not. Letters may be gone by then.
CREATE TABLE event_receipts (
    event_id          TEXT COLLATE "C" NOT NULL,
    execution_id      UUID NOT NULL REFERENCES pipeline_executions (execution_id) ON DELETE CASCADE,
    step_execution_id UUID,
    taken             BOOLEAN NOT NULL,
    PRIMARY KEY (event_id, execution_id)
);

CREATE INDEX receipts_by_execution ON event_receipts (execution_id);

-- What starts executions by itself: at times, or when an event comes.
CREATE TABLE triggers (
    trigger_id  UUID NOT NULL PRIMARY KEY,
    pipeline_id UUID NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    spec        TEXT NOT NULL,
    timezone    TEXT,
    input_data  JSON,
    overlap     TEXT NOT NULL DEFAULT 'allow',
    catch_up    TEXT NOT NULL DEFAULT 'last',
    is_active   BOOLEAN NOT NULL DEFAULT TRUE,
    next_at     TIMESTAMPTZ,
    last_at     TIMESTAMPTZ,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT trigger_name_unique UNIQUE (pipeline_id, name),
    CONSTRAINT trigger_name_present CHECK (length(name) > 0),
    CONSTRAINT trigger_kind_valid CHECK (kind IN ('cron', 'every', 'event')),
    CONSTRAINT trigger_overlap_valid CHECK (overlap IN ('allow', 'skip', 'queue', 'cancel')),
    CONSTRAINT trigger_catch_up_valid CHECK (catch_up IN ('last', 'none', 'all'))
);

CREATE INDEX triggers_due ON triggers (next_at) WHERE is_active AND next_at IS NOT NULL;

-- The limits that pipelines share, each with its rule.
CREATE TABLE limits (
    name       TEXT NOT NULL PRIMARY KEY,
    rule       JSON NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    updated_by TEXT,
    CONSTRAINT limit_name_present CHECK (length(name) > 0)
);

-- Who stands in line for a limit (held_at NULL), has some of it, or had (ended_at). Without a foreign key: what was
-- spent stays spent when its execution is deleted.
CREATE TABLE holds (
    hold_id      UUID NOT NULL PRIMARY KEY,
    execution_id UUID NOT NULL,
    run          TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    key          TEXT COLLATE "C" NOT NULL,
    amount       BIGINT NOT NULL,
    settled      BIGINT,
    priority     INTEGER NOT NULL DEFAULT 0,
    asked_at     TIMESTAMPTZ NOT NULL,
    held_at      TIMESTAMPTZ,
    ended_at     TIMESTAMPTZ
);

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
    lease_seconds DOUBLE PRECISION NOT NULL DEFAULT 15,
    started_at    TIMESTAMPTZ NOT NULL,
    heartbeat_at  TIMESTAMPTZ NOT NULL,
    stopped_at    TIMESTAMPTZ,
    CONSTRAINT worker_slots_not_negative CHECK (slots >= 0),
    CONSTRAINT worker_lease_positive CHECK (lease_seconds > 0)
);

CREATE TABLE audit_log (
    audit_id   UUID NOT NULL PRIMARY KEY,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     JSON,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX audit_by_subject ON audit_log (subject, audit_id);

-- From start to end in seconds, where a clock that was set back makes nothing negative; NULL until both are known.
CREATE VIEW execution_times AS
SELECT execution_id, pipeline_id, status, started_at, completed_at,
       CASE
           WHEN completed_at < started_at THEN 0.0
           ELSE CAST(EXTRACT(EPOCH FROM completed_at - started_at) AS DOUBLE PRECISION)
       END AS seconds
  FROM pipeline_executions;

-- Those of the graph; what is within a run counts there.
CREATE VIEW step_times AS
SELECT step_execution_id, execution_id, step_id, iteration, attempt, retry_count, status, routes, error_message,
       started_at, completed_at,
       CASE
           WHEN completed_at < started_at THEN 0.0
           ELSE CAST(EXTRACT(EPOCH FROM completed_at - started_at) AS DOUBLE PRECISION)
       END AS seconds
  FROM step_executions
 WHERE within = '';
