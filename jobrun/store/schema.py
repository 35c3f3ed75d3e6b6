"""The tables of a job file. The schema says again what `lifecycle` decides, so that nothing can lie.

Times are integer milliseconds UTC, durations integer milliseconds, lists and maps JSON. Hot columns
come first. No CHECK uses json_valid(): SQLite 3.40 calls it unsafe under trusted_schema = OFF.
"""

from __future__ import annotations

from jobrun.store.counting import TALLIES
from jobrun.store.lastruns import LAST_RUNS

JOBS = """
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
    deadline_at    INTEGER,                            -- no attempt begins or goes on after this instant
    terms          TEXT,                               -- JSON; NULL: the common ones
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
"""

ATTEMPTS = """
-- One row per ended attempt; the live attempt of a running job is in jobs. It has an index of its own for its
-- key: in a table without rowid SQLite reads a whole row, all output with it, wherever it compares keys.
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
) STRICT;
"""

# What version 2 added, after its columns of jobs.
CRON = """
CREATE INDEX jobs_by_entry ON jobs (entry)
    WHERE entry IS NOT NULL AND state IN ('scheduled', 'ready', 'running');
-- Jobs are removed all the time now, and with the last one its environment.
CREATE INDEX jobs_by_environment ON jobs (environment) WHERE environment IS NOT NULL;

-- One row per entry of a cron table. An entry that no table has any more keeps its row, for who asks why.
CREATE TABLE entries (
    name            TEXT    PRIMARY KEY,
    done_until      INTEGER NOT NULL,                  -- every tick at or before this instant is decided
    since           INTEGER NOT NULL,                  -- no tick before this instant is made up
    anchor          INTEGER NOT NULL,                  -- from which an interval is counted
    boot_id         TEXT    NOT NULL,                  -- of the last boot that it has seen
    is_enabled      INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    removed_at      INTEGER,
    paused_at       INTEGER,
    paused_until    INTEGER CHECK (paused_until IS NULL OR paused_at IS NOT NULL),
    failing_since   INTEGER,
    failed_runs     INTEGER NOT NULL DEFAULT 0 CHECK (failed_runs >= 0),
    last_success_at INTEGER,
    table_path      TEXT    NOT NULL,
    schedule        TEXT    NOT NULL,                  -- as written
    zone            TEXT    NOT NULL,
    digest          TEXT    NOT NULL,
    schedule_digest TEXT    NOT NULL,
    on_failure      TEXT,                              -- JSON, a job
    on_recovery     TEXT,                              -- JSON, a job
    CHECK ((failing_since IS NULL) = (failed_runs = 0))
) STRICT, WITHOUT ROWID;

-- One row per tick that was decided, or for several in a row that nobody could run any more.
CREATE TABLE ticks (
    entry      TEXT    NOT NULL,
    at         INTEGER NOT NULL,                       -- nominal instant, of the first one
    state      TEXT    NOT NULL CHECK (state IN ('ran', 'pending', 'missed', 'skipped', 'paused', 'disabled')),
    job_id     INTEGER,                                -- that it became; the job may be purged
    moved_from TEXT,                                   -- local time that a change of the clocks skipped
    reason     TEXT,
    in_way     INTEGER,                                -- id of the job in the way
    last       INTEGER NOT NULL CHECK (last >= at),
    count      INTEGER CHECK (count > 0),              -- NULL: too many to count
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (entry, at),
    CHECK ((state = 'ran') = (job_id IS NOT NULL)),
    CHECK (last = at OR count IS NULL OR count > 1)
) STRICT, WITHOUT ROWID;

CREATE INDEX ticks_pending ON ticks (entry, at)   WHERE state = 'pending';
CREATE INDEX ticks_by_age  ON ticks (decided_at)  WHERE state <> 'pending';

-- Who schedules which table; that a row is here proves nothing, the lock does.
CREATE TABLE tables (
    path       TEXT    PRIMARY KEY,
    pid        INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    problem    TEXT                                    -- why the last change of the file was not taken
) STRICT, WITHOUT ROWID;

-- What monitors are still to be told.
CREATE TABLE pings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    due_at     INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    url        TEXT    NOT NULL,
    entry      TEXT,
    job_id     INTEGER,
    body       BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX pings_due    ON pings (due_at, id);
CREATE INDEX pings_of_job ON pings (job_id, id);
"""

# What version 3 changed: an attempt that was taken back before it began gives its number to the next.
REFUSAL = """
CREATE TRIGGER jobs_refuse_transition BEFORE UPDATE OF state, attempt ON jobs
WHEN NEW.attempt < OLD.attempt - (OLD.state = 'running' AND NEW.state IN ('ready', 'cancelled'))
  OR (NEW.state = 'running' AND OLD.state NOT IN ('ready', 'running'))
  OR (OLD.finished_at IS NOT NULL AND NEW.state NOT IN (OLD.state, 'ready', 'scheduled'))
BEGIN
    SELECT raise(ABORT, 'refused transition');
END;
"""

# What version 4 added, for those who watch over the host.
_WATCH = """
-- One row per queue that is paused; one whose time is up is as good as gone.
CREATE TABLE pauses (
    queue  TEXT    PRIMARY KEY,
    since  INTEGER NOT NULL,
    until  INTEGER,                                    -- NULL: until somebody ends it
    by     TEXT    NOT NULL,
    reason TEXT
) STRICT, WITHOUT ROWID;

-- What people changed about jobs that waited.
CREATE TABLE edits (
    id      INTEGER PRIMARY KEY,
    job_id  INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    by      TEXT    NOT NULL,
    changes TEXT    NOT NULL
) STRICT;

CREATE INDEX edits_of_job ON edits (job_id);

-- What tables say of the host, a row for each section that one has.
CREATE TABLE sections (
    table_path TEXT NOT NULL,
    name       TEXT NOT NULL,
    body       TEXT NOT NULL,                          -- JSON: durations in seconds, sizes in bytes
    since      INTEGER NOT NULL,                       -- it has said so
    PRIMARY KEY (table_path, name)
) STRICT, WITHOUT ROWID;

-- One row per alert of a table: how far it has got, and what was told of it last.
CREATE TABLE alerts (
    name        TEXT    PRIMARY KEY,
    table_path  TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    body        TEXT    NOT NULL,                      -- JSON, an alert without its errand
    template    TEXT,                                  -- JSON, the job that tells
    holds_since INTEGER,                               -- NULL: its condition does not hold
    calm_since  INTEGER CHECK (calm_since IS NULL OR told_at IS NOT NULL),
    told_at     INTEGER CHECK (told_at IS NULL OR holds_since IS NOT NULL),
    reminded_at INTEGER CHECK (reminded_at IS NULL OR told_at IS NOT NULL),
    tells       INTEGER NOT NULL DEFAULT 0 CHECK ((tells > 0) = (told_at IS NOT NULL)),
    last_event  TEXT CHECK (last_event IN ('firing', 'reminder', 'over')),
    last_at     INTEGER,
    last_text   TEXT,
    job_id      INTEGER                                -- that told it; it may be purged
) STRICT, WITHOUT ROWID;
"""
WATCH = _WATCH + TALLIES + LAST_RUNS

SCHEMA = JOBS + ATTEMPTS + CRON + REFUSAL + WATCH
