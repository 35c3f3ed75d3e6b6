"""One new row of jobs, in the words of the table; loads little, since `enqueue` stands in loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter

from jobrun.store.database import Database

AT_ONCE = 16  # rows of one INSERT; more of them make it no faster, but slow to prepare
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


def insert_all(database: Database, rows: Sequence[Row], now_ms: int) -> range:
    """Insert rows, within a transaction, and return their ids: no id is skipped while nobody else writes.

    `AT_ONCE` of them are one statement, in which what none of them says stands once.
    """
    unsaid = whole({}, now_ms)
    names = tuple(sorted({"task", "args"}.union(*rows)))  # two at least, or `own` would return no tuple
    own = itemgetter(*names)
    shared = [unsaid[name] for name in COLUMNS if name not in names]
    alone = len(rows) - len(rows) % AT_ONCE
    for first in range(0, alone, AT_ONCE):
        values = (own({**unsaid, **row}) for row in rows[first : first + AT_ONCE])
        last = database.insert(_insert_at_once(names), [*shared, *chain.from_iterable(values)])
    if rows[alone:]:
        last = database.insert_all(INSERT, [values_of({**unsaid, **row}) for row in rows[alone:]])
    return range(last - len(rows) + 1, last + 1)


@lru_cache
def _insert_at_once(names: Sequence[str]) -> str:
    """Return an INSERT whose first parameters are shared by all its rows, and the others come row by row."""
    shared = [name for name in COLUMNS if name not in names]
    rows = []
    for first in range(len(shared) + 1, len(shared) + 1 + AT_ONCE * len(names), len(names)):
        numbers = {name: 1 + number for number, name in enumerate(shared)}
        numbers |= {name: first + number for number, name in enumerate(names)}
        rows.append(f"({', '.join(f'?{numbers[name]}' for name in COLUMNS)})")
    return f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES {', '.join(rows)}"  # noqa: S608 -- fixed names


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
