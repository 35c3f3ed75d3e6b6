"""Lines of an export, read into a job file that nobody else has open: all of them, or none.

Every line is checked, and all that is wrong is told with its number. The rules between rows are asked at the
end, as `db check` asks them.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jobrun.errors import JobrunError, UsageError
from jobrun.model import Kind
from jobrun.payload import check_payload
from jobrun.queues import public
from jobrun.requests import check_name, check_target
from jobrun.store import invariants
from jobrun.store.database import FAULTS, translated
from jobrun.store.lines import FORMAT, TABLES, Shape, shape_of, values_of
from jobrun.store.opening import connect
from jobrun.store.rows import JOB_COLUMNS, Unreadable, job_of
from jobrun.store.settling import drop_triggers, leave_reserved_queues, settle_all, tally
from jobrun.store.version import VERSION
from jobrun.units import plural, to_ms

MAX_LINE = 16 << 20  # bytes; a job with the largest arguments and result takes a quarter of it
_ID_END = 2**62  # after the last id that SQLite can give it could give no other
MOST = 50  # lines that are named, then nobody reads on

Numbered = Iterable[tuple[int, bytes]]  # from 1 on; the last one without its newline was cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be done about what cannot be as it was."""

    runs_again: bool = False  # what ran waits again, instead of being parked
    without_environments: bool = False  # jobs that wait may lose theirs
    merges: bool = False  # into a file that has jobs, with new ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What was read into a file, by kind, and what became of it there."""

    lines: Mapping[str, int]
    was_running: int
    lost_environment: int  # jobs that wait


def fill(draft: Path, name: str, lines: Numbered, choice: Choice) -> Filled:
    """Read lines into an empty job file; `name` is what messages call them.

    Raises `UsageError` with all that is wrong, `NoRoom`, `JobFileUnusable`.
    """
    with closing(connect(draft, mode="rw", busy_s=0)) as connection:
        try:
            connection.execute("PRAGMA synchronous = OFF")  # it is synced when it is whole
            connection.execute("BEGIN")
            filled = _Reader(connection, name).read(lines, choice)
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except FAULTS as error:
            raise translated(error, draft) from error
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    return filled


class _Reader:
    """One export while it is read."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._db = connection
        self._name = name
        self._shapes = {kind: self._shape(table) for kind, table in TABLES.items()}
        self._counts = dict.fromkeys(TABLES, 0)
        self._problems: list[str] = []
        self._head: dict[str, Any] = {}
        self._exported_at = 0  # milliseconds
        self._triggers: list[str] = []
        self._last_job = 0
        self._is_over = False

    def read(self, lines: Numbered, choice: Choice) -> Filled:
        number = 0
        for number, line in lines:
            try:
                self._read(number, line)
            except UsageError as error:
                self._add(number, error.message)
        if not number:
            raise UsageError(f"{self._name} is empty")
        if not self._is_over and not self._problems:
            self._add(number, "the export is cut off here: it has no last line")
        if self._problems:
            self._refuse()
        return self._finish(choice)

    def _read(self, number: int, line: bytes) -> None:
        if self._is_over:
            raise UsageError("there is more behind the last line")
        said = _parsed(line)
        if number == 1:
            self._begin(said)
            return
        if len(said) != 1:
            raise UsageError("is no line of an export: one name is expected")
        [(kind, value)] = said.items()
        if kind == "end":
            self._end(value)
        elif kind in TABLES:
            self._insert(kind, value)
        else:
            raise UsageError(f"is of an unknown kind `{kind[:64]}`")

    def _begin(self, said: dict[str, Any]) -> None:
        """Take the first line, without which nothing else makes sense."""
        if not isinstance(said.get("jobrun"), int):
            raise UsageError(f"{self._name} is no export of jobrun")
        if said["jobrun"] > FORMAT or not isinstance(said.get("schema"), int) or said["schema"] > VERSION:
            raise UsageError(f"{self._name} was written by a newer jobrun")
        if not isinstance(said.get("last_id"), int) or not 0 <= said["last_id"] < _ID_END:
            raise UsageError("`last_id` is no id")
        self._exported_at = _instant(said.get("exported_at"))
        self._head = said
        self._triggers = drop_triggers(self._db)
        if said.get("is_part"):
            for trigger in self._triggers:
                if "attempt_tally" in trigger:
                    self._db.execute(trigger)
                    self._triggers.remove(trigger)
                    break

    def _end(self, value: Any) -> None:
        wanted = {kind: count for kind, count in self._counts.items() if count}
        if value != wanted and not self._problems:
            raise UsageError("the last line counts other lines than there are")
        self._is_over = True

    def _insert(self, kind: str, value: Any) -> None:
        shape = self._shapes[kind]
        values = values_of(shape, value)
        if kind == "job":
            if not isinstance(value.get("id"), int) or not self._last_job < value["id"] < _ID_END:
                raise UsageError("jobs stand in the order of their ids")
            self._last_job = value["id"]
            _check_job(dict(zip(shape.types, values, strict=True)))
        if kind == "attempt" and value.get("job_id") != self._last_job:
            raise UsageError("an attempt stands behind its job")
        try:
            self._db.execute(shape.insert, values)
        except sqlite3.IntegrityError as error:
            raise UsageError(f"is no row that jobrun writes ({error})") from None
        self._counts[kind] += 1

    def _finish(self, choice: Choice) -> Filled:
        """Settle what ran, see to environments, and ask whether the rows agree."""
        was_running = settle_all(self._db, at=self._exported_at, runs_again=choice.runs_again)
        leave_reserved_queues(self._db)
        lost = self._forget_environments(choice)
        for broken in self._broken():
            rows = ", ".join(broken.rows)
            raise UsageError(f"the rows of {self._name} do not agree: {broken.what} ({rows})")
        self._keep_ids()
        if self._head.get("is_part"):
            tally(self._db)
        for trigger in self._triggers:
            self._db.execute(trigger)
        return Filled(lines=dict(self._counts), was_running=was_running, lost_environment=lost)

    def _forget_environments(self, choice: Choice) -> int:
        """Take away names of environments that were not exported; return how many jobs wait without theirs."""
        [(lost,)] = self._db.execute(_WAIT_WITHOUT).fetchall()
        if lost and not choice.without_environments:
            raise UsageError(
                f"{self._name} lacks the environments of {plural(lost, 'waiting job')}; nothing was changed",
                hint="export --with-environments; or --without-environments lets them have that of their worker",
            )
        self._db.execute(_FORGET_ENVIRONMENTS)
        self._db.execute(_FORGET_UNUSED)  # of jobs that were purged while the export was written
        return int(lost)

    def _broken(self) -> Iterator[invariants.Broken]:
        def ask(sql: str, arguments: dict[str, Any]) -> list[Any]:
            return self._db.execute(sql, arguments).fetchall()

        yield from invariants.broken_for_jobs(ask, 0, 2**62)
        yield from invariants.broken_otherwise(ask, is_full=True)

    def _keep_ids(self) -> None:
        """Let no id be given again that was given where the export was written."""
        last = max(self._head["last_id"], self._last_job)
        self._db.execute("DELETE FROM sqlite_sequence WHERE name = 'jobs'")
        self._db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', ?)", (last,))

    def _shape(self, table: str) -> Shape:
        return shape_of(table, self._db.execute(f"PRAGMA table_info({table})").fetchall())

    def _add(self, number: int, what: str) -> None:
        self._problems.append(f"{self._name}:{number}: {what}")
        if number == 1 or len(self._problems) == MOST:
            self._refuse()

    def _refuse(self) -> NoReturn:
        count = "more" if len(self._problems) == MOST else str(len(self._problems))
        raise UsageError(
            f"{self._name} cannot be imported ({count} lines are wrong); nothing was changed"
            if len(self._problems) > 1
            else f"{self._problems[0]}; nothing was changed",
            details=self._problems if len(self._problems) > 1 else (),
        )


def _parsed(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise UsageError(f"is longer than {MAX_LINE >> 20} MiB")
    try:
        said = json.loads(line, parse_constant=_no_number)
    except RecursionError:
        raise UsageError("is nested too deeply") from None
    except ValueError as error:  # no JSON, no UTF-8, or a number of 5,000 digits
        raise UsageError(f"is no JSON ({error})") from None
    if not isinstance(said, dict):
        raise UsageError("is no object")
    return said


def _instant(text: Any) -> int:
    """Return an instant in milliseconds."""
    try:
        return max(to_ms(datetime.fromisoformat(text)), 0)
    except (TypeError, ValueError):
        raise UsageError("`exported_at` is no time") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is no number")


def _check_job(row: Mapping[str, Any]) -> None:
    """Refuse what no job could be."""
    try:
        job = job_of([*(row[name] for name in JOB_COLUMNS), *[None] * 6], exactly=True)
    except Unreadable as error:
        raise UsageError(error.message) from None
    try:
        check_payload(job.args, job.kwargs)
        if job.kind is Kind.CALL:
            check_target(job.task)
        check_name("queue", public(job.queue))
    except JobrunError as error:
        raise UsageError(error.message) from None


_LOST = "environment IS NOT NULL AND NOT EXISTS (SELECT 1 FROM environments WHERE hash = jobs.environment)"
_WAIT_WITHOUT = f"SELECT count(*) FROM jobs WHERE state IN ('scheduled', 'ready') AND {_LOST}"  # noqa: S608 -- fixed text
_FORGET_UNUSED = """
    DELETE FROM environments WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE environment = hash)
"""
_FORGET_ENVIRONMENTS = f"UPDATE jobs SET environment = NULL WHERE {_LOST}"  # noqa: S608 -- fixed text
