"""The rows of a job file, for lines of JSON: a page at a time, so that no read is long and none keeps the WAL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobrun.errors import JobFileUnusable
from jobrun.model import JobFilter
from jobrun.store.database import Database
from jobrun.store.ledger import Ledger
from jobrun.store.lines import FORMAT, TABLES, Shape, object_of, shape_of
from jobrun.store.rows import compact
from jobrun.store.version import VERSION

PAGE = 500  # rows
ATTEMPTS = 100  # of the jobs on a page: each may have printed a quarter of a megabyte

Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be exported; `which` None: all there is."""

    which: JobFilter | None = None
    with_environments: bool = False  # what callers had in theirs, secrets too


class Exporting:
    """The pages of an open job file. Each job comes with its attempts, all as they were at one instant."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._db = database
        self._ledger = ledger

    def head(self, wanted: Wanted, *, version: str, at: str) -> Line:
        """Return the first line."""
        row = self._db.row("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
        return {
            "jobrun": FORMAT,
            "version": version,
            "schema": VERSION,
            "exported_at": at,
            "last_id": 0 if row is None else row["seq"],
            "is_part": wanted.which is not None,
            "with_environments": wanted.with_environments,
        }

    def pages(self, wanted: Wanted) -> Iterator[list[Line]]:
        """Yield lines; what comes into the file meanwhile is not among them."""
        newest = self._ledger.ids(
            JobFilter(), limit=1
        )  # first: what is asked for later needs environments, too
        if wanted.with_environments:
            yield from self._environments(wanted.which)
        yield from self._jobs(wanted.which or JobFilter(), newest[0] if newest else 0)
        if wanted.which is None:
            for kind in list(TABLES)[list(TABLES).index("attempt") + 1 :]:
                yield from self._table(kind)

    def _jobs(self, which: JobFilter, end: int) -> Iterator[list[Line]]:
        last = 0
        jobs, attempts = self._shape("job"), self._shape("attempt")
        while ids := [
            each
            for each in self._ledger.ids(which, limit=PAGE, newest_first=False, after_id=last)
            if each <= end
        ]:
            _check_goes_on([last], [ids[-1]], "job")
            last = ids[-1]
            for some in self._in_pieces(ids):
                yield self._with_attempts(some, jobs, attempts)

    def _in_pieces(self, ids: Sequence[int]) -> Iterator[list[int]]:
        """Yield ids, no more of them together than have `ATTEMPTS`."""
        rows = self._db.rows(
            "SELECT id, attempt FROM jobs WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id",
            {"ids": compact(list(ids))},
        )
        piece: list[int] = []
        count = 0
        for job_id, attempt in rows:
            if piece and count + attempt + 1 > ATTEMPTS:
                yield piece
                piece, count = [], 0
            piece.append(job_id)
            count += attempt + 1
        if piece:
            yield piece

    def _with_attempts(self, ids: Sequence[int], jobs: Shape, attempts: Shape) -> list[Line]:
        arguments = {"ids": compact(list(ids))}
        with self._db.reading():
            job_rows = self._db.rows(
                "SELECT * FROM jobs WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id", arguments
            )
            attempt_rows = self._db.rows(
                "SELECT * FROM attempts WHERE job_id IN (SELECT value FROM json_each(:ids))"
                " ORDER BY job_id, number",
                arguments,
            )
        of_job: dict[int, list[Line]] = {row["id"]: [] for row in job_rows}
        for row in attempt_rows:
            of_job[row["job_id"]].append({"attempt": object_of(attempts, row)})
        return [line for row in job_rows for line in ({"job": object_of(jobs, row)}, *of_job[row["id"]])]

    def _environments(self, which: JobFilter | None) -> Iterator[list[Line]]:
        """Yield all environments, or those of some jobs."""
        if which is None:
            yield from self._table("environment")
            return
        shape, seen, last = self._shape("environment"), set[str](), 0
        while ids := self._ledger.ids(which, limit=PAGE, newest_first=False, after_id=last):
            _check_goes_on([last], [ids[-1]], "job")
            last = ids[-1]
            rows = self._db.rows(
                """
                SELECT * FROM environments
                 WHERE hash IN (SELECT environment
                                  FROM jobs
                                 WHERE id IN (SELECT value FROM json_each(:ids)))
                """,
                {"ids": compact(ids)},
            )
            yield [{"environment": object_of(shape, row)} for row in rows if row["hash"] not in seen]
            seen |= {row["hash"] for row in rows}

    def _table(self, kind: str) -> Iterator[list[Line]]:
        """Yield a table in the order of its key."""
        shape = self._shape(kind)
        key = ", ".join(shape.key)
        last: list[Any] = []
        while True:
            where = f"WHERE ({key}) > ({', '.join('?' * len(last))})" if last else ""
            sql = f"SELECT * FROM {shape.table} {where} ORDER BY {key} LIMIT {PAGE}"  # noqa: S608 -- our own names
            rows = self._db.rows(sql, last)
            if not rows:
                return
            before, last = last, [rows[-1][name] for name in shape.key]
            _check_goes_on(before, last, kind)
            yield [{kind: object_of(shape, row)} for row in rows]

    def _shape(self, kind: str) -> Shape:
        return shape_of(TABLES[kind], self._db.rows(f"PRAGMA table_info({TABLES[kind]})"))


def _check_goes_on(before: list[Any], last: list[Any], kind: str) -> None:
    """Refuse rows that do not follow those of the page before: in a damaged file they might go round for ever."""
    if before and not before < last:
        raise JobFileUnusable(f"the job file is damaged: what follows {kind} `{before[0]}` stands before it")
