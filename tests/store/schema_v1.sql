PRAGMA application_id = 1785684594;
PRAGMA user_version = 1;

-- One job: a request to run a task, and where it stands.
CREATE TABLE jobs (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused
    state          TEXT    NOT NULL CHECK (state IN ('scheduled', 'ready', 'running', 'succeeded', 'failed',
                                                     'crashed', 'cancelled', 'expired', 'skipped')),
    queue          TEXT    NOT NULL,
    priority       INTEGER NOT NULL,                   -- higher runs first
    run_at         INTEGER NOT NULL,                   -- not before this instant
    attempt        INTEGER NOT NULL DEFAULT 0,         -- number of the running or last attempt; only grows
    failures       INTEGER NOT NULL DEFAULT 0,         -- counts against retries
    crashes        INTEGER NOT NULL DEFAULT 0,         -- deaths of its worker in a row
    token          TEXT,                               -- names the running attempt
    worker         TEXT,                               -- the worker that runs it
    started_at     INTEGER,
    finished_at    INTEGER,
    cancel_at      INTEGER,                            -- its end was asked for while it ran
    expires_at     INTEGER,
    reason         TEXT,
    kind           TEXT    NOT NULL CHECK (kind IN ('call', 'shell', 'command')),
    task           TEXT    NOT NULL,
    args           TEXT    NOT NULL,
    kwargs         TEXT    NOT NULL,
    retries        INTEGER NOT NULL CHECK (retries >= 0),
    backoff_ms     INTEGER NOT NULL CHECK (backoff_ms >= 0),
    max_backoff_ms INTEGER NOT NULL CHECK (max_backoff_ms >= 0),
    timeout_ms     INTEGER CHECK (timeout_ms > 0),
    on_crash       TEXT    NOT NULL CHECK (on_crash IN ('retry', 'park', 'fail')),
    created_at     INTEGER NOT NULL,
    key            TEXT,                               -- at most one live job has it
    name           TEXT,
    tags           TEXT    NOT NULL,
    entry          TEXT,                               -- of the cron table
    scheduled_for  INTEGER,                            -- nominal instant of its tick
    cwd            TEXT,                               -- JSON, for it need not be UTF-8
    umask          INTEGER,
    environment    TEXT REFERENCES environments (hash),
    result         TEXT,                               -- JSON
    CHECK ((state = 'running') = (token IS NOT NULL)),
    CHECK ((state = 'running') = (worker IS NOT NULL)),
    CHECK (cancel_at IS NULL OR state IN ('running', 'cancelled', 'succeeded', 'failed', 'crashed')),
    CHECK ((state IN ('scheduled', 'ready', 'running')) = (finished_at IS NULL))
) STRICT;

-- The hot sets stay small, whatever else is in the file.
CREATE INDEX jobs_ready          ON jobs (priority DESC, id)        WHERE state = 'ready';
CREATE INDEX jobs_ready_by_queue ON jobs (queue, priority DESC, id) WHERE state = 'ready';
CREATE INDEX jobs_scheduled      ON jobs (run_at)                   WHERE state = 'scheduled';
CREATE INDEX jobs_running        ON jobs (worker)                   WHERE state = 'running';
CREATE INDEX jobs_to_cancel      ON jobs (worker)                   WHERE state = 'running' AND cancel_at IS NOT NULL;
CREATE INDEX jobs_expiring       ON jobs (expires_at)
    WHERE expires_at IS NOT NULL AND state IN ('scheduled', 'ready');
CREATE INDEX jobs_finished       ON jobs (state, finished_at)       WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_key     ON jobs (key)
    WHERE key IS NOT NULL AND state IN ('scheduled', 'ready', 'running');

CREATE TRIGGER jobs_refuse_transition BEFORE UPDATE OF state, attempt ON jobs
WHEN NEW.attempt < OLD.attempt
  OR (NEW.state = 'running' AND OLD.state NOT IN ('ready', 'running'))
  OR (OLD.finished_at IS NOT NULL AND NEW.state NOT IN (OLD.state, 'ready', 'scheduled'))
BEGIN
    SELECT raise(ABORT, 'refused transition');
END;

-- One row per ended attempt; the live attempt of a running job is in jobs.
CREATE TABLE attempts (
    job_id        INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL CHECK (number > 0),
    token         TEXT    NOT NULL,
    worker        TEXT    NOT NULL,
    pid           INTEGER,
    started_at    INTEGER NOT NULL,
    finished_at   INTEGER NOT NULL,
    outcome       TEXT    NOT NULL CHECK (outcome IN ('ok', 'error', 'timeout', 'crashed', 'interrupted',
                                                      'cancelled')),
    exit_code     INTEGER,
    signal        INTEGER,
    cause         TEXT,
    note          TEXT,
    cpu_ms        INTEGER,
    peak_rss      INTEGER,                             -- bytes
    error_type    TEXT,
    error_message TEXT,
    traceback     TEXT,
    output_size   INTEGER NOT NULL,                    -- bytes printed; head and tail are what is kept
    output_head   BLOB    NOT NULL,
    output_tail   BLOB    NOT NULL,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- One row per living incarnation of a worker; the name is that of its lock file.
CREATE TABLE workers (
    name        TEXT    PRIMARY KEY,
    number      INTEGER NOT NULL,                      -- its place in the group
    pid         INTEGER NOT NULL,
    group_pid   INTEGER NOT NULL,                      -- the supervisor
    queues      TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    stopping_at INTEGER
) STRICT, WITHOUT ROWID;

-- Each distinct environment of a caller, once.
CREATE TABLE environments (
    hash      TEXT PRIMARY KEY,
    variables TEXT NOT NULL
) STRICT, WITHOUT ROWID;
