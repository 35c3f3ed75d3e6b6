"""Rows of the job file and the words they stand for."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from jobrun.model import (
    COMMON_TERMS,
    Attempt,
    Ending,
    ErrorInfo,
    Job,
    Kind,
    Leftovers,
    OnCrash,
    Outcome,
    Output,
    State,
    Terms,
    WorkerRow,
)
from jobrun.requests import MAX_BACKOFF_S
from jobrun.units import from_ms

Shape = TypeVar("Shape", list[Any], dict[str, Any], str)

_LAST_MS = 253_370_764_800_000  # the year 9999 begins, and any zone can still show it

# A job together with what its last ended attempt left behind.
JOB_WITH_LAST_ATTEMPT = """
    SELECT jobs.*, exit_code, signal, note, error_type, error_message, traceback
      FROM jobs
      LEFT JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt
"""
NO_LAST_ATTEMPT = """
    NULL AS exit_code, NULL AS signal, NULL AS note,
    NULL AS error_type, NULL AS error_message, NULL AS traceback
"""


class Unreadable(Exception):
    """A row that somebody else wrote, or that was damaged: it stands for no job that could run."""


def job_of(row: sqlite3.Row, *, exactly: bool = False) -> Job:
    """Return the job that a row of `JOB_WITH_LAST_ATTEMPT` stands for.

    A list or map in it that is none is shown empty, so that one row hurts nobody who looks at many;
    `exactly`, for who runs the job, it raises `Unreadable`.
    """
    return Job(
        id=row["id"],
        kind=Kind(row["kind"]),
        task=row["task"],
        args=tuple(_parsed(row, "args", list, exactly=exactly)),
        kwargs=_parsed(row, "kwargs", dict, exactly=exactly),
        queue=row["queue"],
        priority=row["priority"],
        state=State(row["state"]),
        reason=row["reason"],
        key=row["key"],
        tags=tuple(map(str, _parsed(row, "tags", list))),
        name=row["name"],
        entry=row["entry"],
        scheduled_for=instant_or_none(row["scheduled_for"]),
        run_at=instant(row["run_at"]),
        created_at=instant(row["created_at"]),
        started_at=instant_or_none(row["started_at"]),
        finished_at=instant_or_none(row["finished_at"]),
        expires_at=instant_or_none(row["expires_at"]),
        cancel_at=instant_or_none(row["cancel_at"]),
        attempt=row["attempt"],
        failures=row["failures"],
        crashes=row["crashes"],
        retries=row["retries"],
        backoff_s=min(row["backoff_ms"] / 1000, MAX_BACKOFF_S),
        max_backoff_s=min(row["max_backoff_ms"] / 1000, MAX_BACKOFF_S),
        timeout_s=_seconds(row["timeout_ms"]),
        on_crash=OnCrash(row["on_crash"]),
        token=row["token"],
        worker=row["worker"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        result=_json_or_none(row["result"]),
        note=row["note"],
        error=_error_of(row),
        cwd=None if row["cwd"] is None else _parsed(row, "cwd", str, exactly=exactly),
        umask=row["umask"],
        environment=row["environment"],
        deadline_at=instant_or_none(row["deadline_at"]),
        terms=_terms(row, exactly=exactly),
    )


def attempt_of(row: sqlite3.Row, *, result: str | None = None) -> Attempt:
    """Return the ended attempt that a row stands for."""
    ending = Ending(
        outcome=Outcome(row["outcome"]),
        exit_code=row["exit_code"],
        signal=row["signal"],
        cause=row["cause"],
        result=result,
        note=row["note"],
        error=_error_of(row),
        cpu_s=_seconds(row["cpu_ms"]),
        peak_rss=row["peak_rss"],
        output=Output(head=row["output_head"], tail=row["output_tail"], size=row["output_size"]),
    )
    return Attempt(
        job_id=row["job_id"],
        number=row["number"],
        token=row["token"],
        worker=row["worker"],
        pid=row["pid"],
        started_at=instant(row["started_at"]),
        finished_at=instant(row["finished_at"]),
        ending=ending,
    )


def worker_of(row: sqlite3.Row) -> WorkerRow:
    """Return the worker that a row stands for."""
    return WorkerRow(
        name=row["name"],
        number=row["number"],
        pid=row["pid"],
        group_pid=row["group_pid"],
        queues=tuple(map(str, _parsed(row, "queues", list))),
        started_at=instant(row["started_at"]),
        stopping_at=instant_or_none(row["stopping_at"]),
    )


def variables_of(row: sqlite3.Row) -> dict[str, str]:
    """Return the environment that a row stands for."""
    return {name: str(value) for name, value in _parsed(row, "variables", dict).items()}


def instant(ms: int) -> datetime:
    """Return the instant that a row means; what lies outside the calendar is its nearest end."""
    return from_ms(min(max(ms, 0), _LAST_MS))


def instant_or_none(ms: int | None) -> datetime | None:
    """Return what `instant` does, and None for NULL."""
    return None if ms is None else instant(ms)


def compact(value: Any) -> str:
    """Return JSON without blanks; lone surrogates and all beyond ASCII are escaped."""
    return json.dumps(value, separators=(",", ":"))


def storable(text: str | None) -> str | None:
    """Return text that SQLite can keep: without lone surrogates, which have no UTF-8, and NULs."""
    if text is None:
        return None
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _parsed(row: sqlite3.Row, column: str, shape: type[Shape], *, exactly: bool = False) -> Shape:
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(row[column])
        if isinstance(value, shape):
            return value
    if exactly:
        raise Unreadable(f"its {column} in the job file cannot be read")
    return shape()


def _terms(row: sqlite3.Row, *, exactly: bool) -> Terms:
    """Return the terms of a job, of which only those are kept that are not the common ones."""
    if row["terms"] is None:
        return COMMON_TERMS
    kept = _parsed(row, "terms", dict, exactly=exactly)
    with contextlib.suppress(TypeError, ValueError):
        return Terms(**{name: _TERMS.get(name, _as_it_is)(value) for name, value in kept.items()})
    if exactly:
        raise Unreadable("its terms in the job file cannot be read")
    return COMMON_TERMS


def _as_it_is(value: Any) -> Any:
    return value


_TERMS: dict[str, Callable[[Any], Any]] = {
    "ok_exit": tuple,
    "skip_exit": tuple,
    "no_retry_exit": tuple,
    "leftovers": Leftovers,
}


def _json_or_none(text: str | None) -> str | None:
    with contextlib.suppress(ValueError, RecursionError, TypeError):
        json.loads(text or "")
        return text
    return None


def _error_of(row: sqlite3.Row) -> ErrorInfo | None:
    if row["error_type"] is None:
        return None
    return ErrorInfo(type=row["error_type"], message=row["error_message"], traceback=row["traceback"])
