"""Bringing a job file of an older version up to date: at once and wholly, or not at all.

Imported only when a file is behind, since sqlite-utils takes its time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlite_utils import Database, Migrations

from jobrun import locks
from jobrun.errors import Busy
from jobrun.locks.roles import Role
from jobrun.paths import side_dir
from jobrun.store import copying
from jobrun.store.schema import ATTEMPTS, CRON, REFUSAL, WATCH
from jobrun.store.version import VERSION

_POLL_S = 0.05


def migrate(connection: sqlite3.Connection, path: Path, *, patience_s: float) -> None:
    """Bring an open job file, whose side folder exists, to `VERSION`; a copy of it is kept there.

    Raises `Busy` while workers run on it, or when somebody else's migration outlasts `patience_s`.
    """
    role = Role(side_dir(path) / "migrator")
    end = time.monotonic() + patience_s
    while not role.try_to_take():
        if time.monotonic() > end:
            raise Busy(f"`{path}` is being brought up to date by another process", hint="try again")
        time.sleep(_POLL_S)
    try:
        _migrate(connection, path)
    finally:
        role.give_up()


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
        if version < VERSION:
            _refuse_workers(path)
            _keep_copy(path, version)
            _take_steps(connection, version)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refuse_workers(path: Path) -> None:
    """Let no group go on with a file that changes under it."""
    if locks.any_held(side_dir(path) / "locks"):
        raise Busy(
            f"workers of an older jobrun run on `{path}`, which is to be brought up to date",
            hint="stop them, then try again",
        )


def _keep_copy(path: Path, version: int) -> None:
    """Copy the file as it is committed into the side folder; nobody can write to it meanwhile."""
    copying.copy(path, side_dir(path) / f"version-{version}.db", replaces=True)


def _take_steps(connection: sqlite3.Connection, version: int) -> None:
    steps = Migrations("jobrun")
    for step in _STEPS[version - 1 :]:
        steps()(step)
    steps.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
    connection.execute(f"DROP TABLE {steps.migrations_table}")  # user_version alone says where a file stands
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _to_version_2(database: Database) -> None:
    database.execute("ALTER TABLE jobs ADD COLUMN deadline_at INTEGER")
    database.execute("ALTER TABLE jobs ADD COLUMN terms TEXT")
    # Within version 1 this column became JSON, for what is no UTF-8; before that it was a path.
    database.execute("UPDATE jobs SET cwd = json_quote(cwd) WHERE cwd LIKE '/%'")
    for statement in _statements(CRON):
        database.execute(statement)


def _to_version_3(database: Database) -> None:
    database.execute("DROP TRIGGER jobs_refuse_transition")
    for statement in _statements(REFUSAL):
        database.execute(statement)


def _to_version_4(database: Database) -> None:
    database.execute("ALTER TABLE attempts RENAME TO attempts_3")
    database.execute(ATTEMPTS)
    database.execute("INSERT INTO attempts SELECT * FROM attempts_3 ORDER BY finished_at, job_id, number")
    database.execute("DROP TABLE attempts_3")
    for statement in _statements(WATCH):
        database.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; `executescript` would end our transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


_STEPS: tuple[Callable[[Database], None], ...] = (
    _to_version_2,
    _to_version_3,
    _to_version_4,
)  # from version 1 on, in order
