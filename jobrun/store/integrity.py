"""Whether a job file is whole: read by SQLite itself, table by table, for as long as one may wait."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from jobrun.errors import JobrunError
from jobrun.store.database import Database

LIBRARY = sqlite3.sqlite_version_info
_TOLD = 5  # faults that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What was found wrong, and what there was no time for."""

    faults: tuple[str, ...]
    checked: tuple[str, ...]  # tables
    left: tuple[str, ...]
    took_s: float


def look_through(database: Database, *, budget_s: float) -> Integrity:
    """Check the pages and rows of one table after the other, the short ones first, until the time is over."""
    begin = time.monotonic()
    tables = _tables(database)
    faults: list[str] = []
    checked: list[str] = []
    for table in tables:
        left_s = budget_s - (time.monotonic() - begin)
        found = _said(database, f'PRAGMA quick_check("{table}")', within_s=left_s) if left_s > 0 else None
        if found is None:
            break
        checked.append(table)
        faults += found
    return Integrity(
        faults=tuple(dict.fromkeys(faults)),
        checked=tuple(checked),
        left=tuple(tables[len(checked) :]),
        took_s=time.monotonic() - begin,
    )


def look_through_all(database: Database) -> Integrity:
    """Check the whole file with its indexes and references, however long that takes."""
    begin, tables = time.monotonic(), _tables(database)
    faults = _said(database, "PRAGMA integrity_check", within_s=None) or []
    orphans = database.rows('SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY 1')
    faults += [f"{count} rows of {table} belong to nothing" for table, count in orphans]
    took_s = time.monotonic() - begin
    return Integrity(faults=tuple(faults), checked=tuple(tables), left=(), took_s=took_s)


def _tables(database: Database) -> list[str]:
    """Return the tables, those of the jobs and their attempts last: they are the long ones."""
    rows = database.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return sorted((row["name"] for row in rows), key=lambda name: (name in {"jobs", "attempts"}, name))


def _said(database: Database, sql: str, *, within_s: float | None) -> list[str] | None:
    """Return the faults that SQLite names; None if the time was over before."""
    try:
        rows = database.rows_within(sql, within_s)
    except JobrunError as error:
        return [error.message]
    if rows is None:
        return None
    return [str(row[0]) for row in rows if row[0] != "ok"][:_TOLD]
