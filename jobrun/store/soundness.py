"""Whether a job file is sound: its pages, its schema, and what holds between its rows. Nothing is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from jobrun.store import invariants
from jobrun.store.database import Database
from jobrun.store.invariants import AT_ONCE, Broken
from jobrun.store.schema import SCHEMA

MOST = 20  # faults of pages that SQLite is asked for


class Soundness:
    """The checks of an open job file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def pages(self, *, is_full: bool) -> list[str]:
        """Return what SQLite finds wrong with its pages, or in full with its indexes too; it reads all of them."""
        check = "integrity_check" if is_full else "quick_check"
        said = [str(row[0]) for row in self._db.rows(f"PRAGMA {check}({MOST})")]
        return [] if said == ["ok"] else [line for each in said for line in each.splitlines()]

    def schema(self) -> list[str]:
        """Return how the tables, indexes and triggers differ from those that this program makes."""
        with closing(sqlite3.connect(":memory:")) as pattern:
            pattern.executescript(SCHEMA)
            wanted = _schema_of(pattern.execute(_OBJECTS).fetchall())
            columns = {
                name: _columns_of(pattern.execute(_COLUMNS, (name,)).fetchall()) for name in _tables(wanted)
            }
        found = _schema_of(self._db.rows(_OBJECTS))
        told = [f"{kind} `{name}` is missing" for kind, name in sorted(wanted.keys() - found.keys())]
        told += [f"{kind} `{name}` is none of ours" for kind, name in sorted(found.keys() - wanted.keys())]
        for which in sorted(wanted.keys() & found.keys()):
            kind, name = which
            is_same = (
                _columns_of(self._db.rows(_COLUMNS, (name,))) == columns[name]
                if kind == "table"  # the text of one that was altered is another
                else found[which] == wanted[which]
            )
            if not is_same:
                told.append(f"{kind} `{name}` is not as this program makes it")
        return told

    def job_ranges(self) -> list[tuple[int, int]]:
        """Return the ranges of ids, from first to last, in which jobs and attempts are looked at."""
        row = self._db.row(
            """
            SELECT min(coalesce((SELECT min(id) FROM jobs), (SELECT min(job_id) FROM attempts)),
                       coalesce((SELECT min(job_id) FROM attempts), (SELECT min(id) FROM jobs))) AS first,
                   max(coalesce((SELECT max(id) FROM jobs), 0),
                       coalesce((SELECT max(job_id) FROM attempts), 0)) AS last
            """
        )
        if row is None or row["first"] is None:
            return []
        ranges, first = [], row["first"]
        while first <= row["last"]:
            following = self._following(first, row["last"])
            ranges.append((first, following - 1))
            first = following
        return ranges

    def jobs(self, first: int, last: int) -> Iterator[Broken]:
        """Yield what does not hold for the jobs from one id to another."""
        return invariants.broken_for_jobs(self._ask, first, last)

    def rest(self, *, is_full: bool) -> Iterator[Broken]:
        """Yield what does not hold for the rest."""
        return invariants.broken_otherwise(self._ask, is_full=is_full)

    def _following(self, first: int, last: int) -> int:
        """Return the id with which the next range begins, beyond the last there is: ids may have large gaps."""
        row = self._db.row(
            "SELECT id FROM jobs WHERE id >= :first ORDER BY id LIMIT 1 OFFSET :count",
            {"first": first, "count": AT_ONCE},
        )
        return last + 1 if row is None else int(row["id"])

    def _ask(self, sql: str, arguments: dict[str, Any]) -> list[Any]:
        return self._db.rows(sql, arguments)


_OBJECTS = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
_COLUMNS = """
    SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)
"""

_Objects = dict[tuple[str, str], str]


def _schema_of(rows: list[Any]) -> _Objects:
    return {(kind, name): _without_remarks(sql) for kind, name, sql in rows}


def _without_remarks(sql: str) -> str:
    return " ".join(word for line in sql.splitlines() for word in line.partition("--")[0].split())


def _tables(objects: _Objects) -> list[str]:
    return [name for kind, name in objects if kind == "table"]


def _columns_of(rows: list[Any]) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in rows)
