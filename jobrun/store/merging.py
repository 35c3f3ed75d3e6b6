"""Rows of a job file that nobody else has open, put into one that others use."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jobrun.bell import Tone
from jobrun.store.counting import work_of
from jobrun.store.database import Database
from jobrun.store.insertion import holder
from jobrun.store.lines import TABLES
from jobrun.store.opening import connect

PAGE = 50  # jobs of one commit, as others wait meanwhile
LIVE = ("scheduled", "ready")

Row = Mapping[str, Any]


class _Around(NamedTuple):
    """A job with all rows that are its own."""

    job: Row
    attempts: Sequence[Row]
    edits: Sequence[Row]
    environment: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What was put in. `skipped` jobs wanted to wait with a key that a job here has."""

    jobs: int
    skipped: int


class Merging:
    """Taking in another job file; its jobs get new ids, unless this one has never had any."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._ids: dict[int, int] = {}  # of jobs of entries, of which other rows tell
        self._skipped = 0

    def is_virgin(self) -> bool:
        """Say whether the file has never had a job or an entry."""
        row = self._db.row("SELECT coalesce(max(seq), 0) AS seq FROM sqlite_sequence WHERE name = 'jobs'")
        has_entries = self._db.row("SELECT 1 FROM entries LIMIT 1") is not None
        return (row is None or row["seq"] == 0) and not has_entries

    def take_whole(self, other: Path) -> Merged | None:
        """Take all of another file as it is, in one commit; None if there are jobs here by now."""
        with closing(_opened(other)) as source, self._db.write(Tone.WORK):
            if not self.is_virgin():
                return None
            count = 0
            self._db.change("DELETE FROM sqlite_sequence WHERE name = 'jobs'")
            for table in TABLES.values():
                if table in _COUNTED:  # by triggers, as the rows before were put in
                    self._db.change(f"DELETE FROM {table}")  # noqa: S608 -- our own names
                for row in source.execute(f"SELECT * FROM {table}"):  # noqa: S608 -- our own names
                    self._insert(table, row)
                    count += table == "jobs"
            [(last,)] = source.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'jobs'").fetchall()
            self._db.change("DELETE FROM sqlite_sequence WHERE name = 'jobs'")
            self._db.change("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', ?)", (last or 0,))
        return Merged(jobs=count, skipped=0)

    def add(self, other: Path, tell: Callable[[int], None]) -> Merged:
        """Add another file, in small commits. What is here already of an entry, a tick or a pause stays."""
        count = 0
        with closing(_opened(other)) as source:
            for page in _pages(source):
                with self._db.write(Tone.WORK):
                    for around in page:
                        self._add_job(around)
                count += len(page)
                tell(len(page))
            for table in _REST:
                rows = source.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 -- our own names
                for first in range(0, len(rows), 10 * PAGE):
                    with self._db.write():
                        for row in rows[first : first + 10 * PAGE]:
                            self._add_row(table, dict(row))
        return Merged(jobs=count, skipped=self._skipped)

    def _add_job(self, around: _Around) -> None:
        job = around.job
        if around.environment is not None:
            self._insert("environments", around.environment, how="OR IGNORE")
        row = {name: value for name, value in dict(job).items() if name != "id"}
        if row["state"] in LIVE and row["key"] is not None and (held := holder(self._db, row["key"])):
            row |= {
                "state": "skipped",
                "finished_at": row["created_at"],
                "reason": f"job {held[0]} had its key `{row['key']}` when it was imported",
            }
            self._skipped += 1
        job_id = self._insert("jobs", row)
        if row["entry"] is not None:
            self._ids[job["id"]] = job_id
        if row["finished_at"] is not None:
            self._db.change(_COUNT, {"id": job_id})
        for attempt in around.attempts:
            self._insert("attempts", {**dict(attempt), "job_id": job_id, "token": secrets.token_hex(8)})
        for edit in around.edits:
            self._insert("edits", {**dict(edit), "job_id": job_id, "id": None})

    def _add_row(self, table: str, row: dict[str, Any]) -> None:
        for name in ("job_id", "in_way"):
            if row.get(name) is not None:
                row[name] = self._ids.get(row[name])
        if table in {"ticks", "last_runs"} and row["job_id"] is None and row.get("state") in {None, "ran"}:
            return  # its job was not exported, and its id is another's here
        self._insert(table, row, how="OR IGNORE")

    def _insert(self, table: str, row: Row, how: str = "") -> int:
        values = dict(row)
        columns, places = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT {how} INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 -- our own names
        return self._db.insert(sql, list(values.values()))


_COUNTED = {"last_runs", "job_tally", "attempt_tally", "tick_tally"}
_REST = ("entries", "ticks", "pauses", "sections", "last_runs")
_COUNT = f"""
    INSERT INTO job_tally (queue, work, state, count)
    SELECT queue, {work_of("jobs")}, state, 1
      FROM jobs
     WHERE id = :id
    ON CONFLICT DO UPDATE SET count = count + 1
"""  # noqa: S608 -- fixed text


def _opened(other: Path) -> sqlite3.Connection:
    return connect(other, mode="ro&immutable=1", busy_s=0)


def _pages(source: sqlite3.Connection) -> Iterator[list[_Around]]:
    """Yield jobs with all that is theirs."""
    last = 0
    while jobs := source.execute(
        "SELECT * FROM jobs WHERE id > ? ORDER BY id LIMIT ?", (last, PAGE)
    ).fetchall():
        last = jobs[-1]["id"]
        yield [_around(source, job) for job in jobs]


def _around(source: sqlite3.Connection, job: Row) -> _Around:
    def of(table: str, order: str) -> list[Row]:
        sql = f"SELECT * FROM {table} WHERE job_id = ? ORDER BY {order}"  # noqa: S608 -- our own names
        return source.execute(sql, (job["id"],)).fetchall()

    environments = source.execute(
        "SELECT * FROM environments WHERE hash = ?", (job["environment"],)
    ).fetchall()
    return _Around(
        job, of("attempts", "number"), of("edits", "id"), environments[0] if environments else None
    )
