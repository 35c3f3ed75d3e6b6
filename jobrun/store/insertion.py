"""One new row of jobs, in the words of the table; loads little, since `enqueue` stands in loops."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from jobrun.store.database import Database

INSERT = """
    INSERT INTO jobs (state, queue, priority, run_at, expires_at, kind, task, args, kwargs, retries,
                      backoff_ms, max_backoff_ms, timeout_ms, on_crash, created_at, key, name, tags,
                      entry, scheduled_for, cwd, umask, environment, deadline_at, terms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # by place: names would be looked up once a value
COLUMNS = INSERT[INSERT.index("(") + 1 : INSERT.index(")")].replace(",", " ").split()
values_of = itemgetter(*COLUMNS)

Row = dict[str, object]  # columns by name, none but those that differ from `PLAIN`

# A call without arguments that is due at once; a test holds it equal to what `NewJob` leaves unsaid.
PLAIN: Row = {
    "state": "ready",
    "queue": "default",
    "priority": 0,
    "expires_at": None,
    "deadline_at": None,
    "kind": "call",
    "args": "[]",
    "kwargs": "{}",
    "retries": 0,
    "backoff_ms": 10_000,
    "max_backoff_ms": 600_000,
    "timeout_ms": None,
    "on_crash": "retry",
    "key": None,
    "name": None,
    "tags": "[]",
    "entry": None,
    "scheduled_for": None,
    "terms": None,
    "cwd": None,
    "umask": None,
    "environment": None,
}


def whole(row: Row, now_ms: int) -> Row:
    """Return a row with all its columns."""
    return {**PLAIN, "run_at": now_ms, "created_at": now_ms, **row}


def insert(database: Database, row: Mapping[str, object]) -> int:
    """Insert a row, within a transaction, and return its id."""
    return database.insert(INSERT, values_of(row))


def holder(database: Database, key: object) -> tuple[int, str, int] | None:
    """Return id, state and due time (ms) of the live job that has a key."""
    row = database.row(
        """
        SELECT id, state, run_at
          FROM jobs
         WHERE key = :key AND state IN ('scheduled', 'ready', 'running')
        """,
        {"key": key},
    )
    return None if row is None else (row["id"], row["state"], row["run_at"])
