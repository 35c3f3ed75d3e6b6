"""Rows of the job file and the words they stand for."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from jobrun.errors import JobFileUnusable
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

Given = ParamSpec("Given")
Made = TypeVar("Made")
Shape = TypeVar("Shape", list[Any], dict[str, Any], str)

_encode = json.JSONEncoder(separators=(",", ":")).encode
_LAST_MS = 253_370_764_800_000  # the year 9999 begins, and any zone can still show it

# In the order in which `job_of` takes them: names are looked up one by one in a row, places are not.
_OF_JOB = """
    jobs.id, jobs.kind, jobs.task, jobs.args, jobs.kwargs, jobs.queue, jobs.priority, jobs.state, jobs.reason,
    jobs.key, jobs.tags, jobs.name, jobs.entry, jobs.scheduled_for, jobs.run_at, jobs.created_at,
    jobs.started_at, jobs.finished_at, jobs.expires_at, jobs.cancel_at, jobs.deadline_at, jobs.attempt,
    jobs.failures, jobs.crashes, jobs.retries, jobs.backoff_ms, jobs.max_backoff_ms, jobs.timeout_ms,
    jobs.on_crash, jobs.token, jobs.worker, jobs.cwd, jobs.umask, jobs.environment, jobs.terms, jobs.result
"""
JOB_COLUMNS = tuple(name.strip().removeprefix("jobs.") for name in _OF_JOB.split(","))
# A job together with what its last ended attempt left behind.
JOB_WITH_LAST_ATTEMPT = f"""
    SELECT {_OF_JOB}, exit_code, signal, note, error_type, error_message, traceback
      FROM jobs
      LEFT JOIN attempts ON attempts.job_id = jobs.id AND attempts.number = jobs.attempt
"""  # noqa: S608 -- fixed text
JOB_WITHOUT_LAST_ATTEMPT = f"{_OF_JOB}, NULL, NULL, NULL, NULL, NULL, NULL"


class Unreadable(JobFileUnusable):
    """A row that somebody else wrote, or that was damaged: it stands for no job that could run."""


def legible(read: Callable[Given, Made]) -> Callable[Given, Made]:
    """Let what reads a row raise `Unreadable` for values that no row of ours has, as after a flipped bit."""

    @wraps(read)
    def careful(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        try:
            return read(*args, **kwargs)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise Unreadable(
                f"the job file is damaged: `{error}` in a row of it is none of ours",
                hint="put a backup in its place",
            ) from error

    return careful


@legible
def job_of(row: Sequence[Any], *, exactly: bool = False) -> Job:
    """Return the job that a row of `JOB_WITH_LAST_ATTEMPT` stands for.

    A list or map in it that is none is shown empty, so that one row hurts nobody who looks at many;
    `exactly`, for who runs the job, it raises `Unreadable`.
    """
    (
        job_id, kind, task, args, kwargs, queue, priority, state, reason,
        key, tags, name, entry, scheduled_for, run_at, created_at,
        started_at, finished_at, expires_at, cancel_at, deadline_at, attempt,
        failures, crashes, retries, backoff_ms, max_backoff_ms, timeout_ms,
        on_crash, token, worker, cwd, umask, environment, terms, result,
        exit_code, signal, note, error_type, error_message, traceback,
    ) = row  # fmt: skip
    return Job(
        id=job_id,
        kind=_KINDS[kind],
        task=task,
        args=tuple(_parsed(args, list, "args", exactly=exactly)),
        kwargs=_parsed(kwargs, dict, "kwargs", exactly=exactly),
        queue=queue,
        priority=priority,
        state=_STATES[state],
        reason=reason,
        key=key,
        tags=tuple(map(str, _parsed(tags, list, "tags"))),
        name=name,
        entry=entry,
        scheduled_for=instant_or_none(scheduled_for),
        run_at=instant(run_at),
        created_at=instant(created_at),
        started_at=instant_or_none(started_at),
        finished_at=instant_or_none(finished_at),
        expires_at=instant_or_none(expires_at),
        cancel_at=instant_or_none(cancel_at),
        attempt=attempt,
        failures=failures,
        crashes=crashes,
        retries=retries,
        backoff_s=min(backoff_ms / 1000, MAX_BACKOFF_S),
        max_backoff_s=min(max_backoff_ms / 1000, MAX_BACKOFF_S),
        timeout_s=_seconds(timeout_ms),
        on_crash=_ON_CRASH[on_crash],
        token=token,
        worker=worker,
        exit_code=exit_code,
        signal=signal,
        result=None if result is None else _json_or_none(result),
        note=note,
        error=None
        if error_type is None
        else ErrorInfo(type=error_type, message=error_message, traceback=traceback),
        cwd=None if cwd is None else _parsed(cwd, str, "cwd", exactly=exactly),
        umask=umask,
        environment=environment,
        deadline_at=instant_or_none(deadline_at),
        terms=COMMON_TERMS if terms is None else _terms(terms, exactly=exactly),
    )


@legible
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


@legible
def worker_of(row: sqlite3.Row) -> WorkerRow:
    """Return the worker that a row stands for."""
    return WorkerRow(
        name=row["name"],
        number=row["number"],
        pid=row["pid"],
        group_pid=row["group_pid"],
        queues=tuple(map(str, _parsed(row["queues"], list, "queues"))),
        started_at=instant(row["started_at"]),
        stopping_at=instant_or_none(row["stopping_at"]),
    )


@legible
def variables_of(row: sqlite3.Row) -> dict[str, str]:
    """Return the environment that a row stands for."""
    return {name: str(value) for name, value in _parsed(row["variables"], dict, "variables").items()}


@lru_cache(maxsize=1024)  # the jobs of a batch, and of a claim, have most of their instants in common
def instant(ms: int) -> datetime:
    """Return the instant that a row means; what lies outside the calendar is its nearest end."""
    return from_ms(min(max(ms, 0), _LAST_MS))


def instant_or_none(ms: int | None) -> datetime | None:
    """Return what `instant` does, and None for NULL."""
    return None if ms is None else instant(ms)


def compact(value: Any) -> str:
    """Return JSON without blanks; lone surrogates and all beyond ASCII are escaped."""
    return _encode(value)


def storable(text: str | None) -> str | None:
    """Return text that SQLite can keep: without lone surrogates, which have no UTF-8, and NULs."""
    if text is None:
        return None
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _parsed(text: str, shape: type[Shape], column: str, *, exactly: bool = False) -> Shape:
    if text == _EMPTY.get(shape):
        return shape()
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, shape):
            return value
    if exactly:
        raise Unreadable(f"its {column} in the job file cannot be read")
    return shape()


def _terms(text: str, *, exactly: bool) -> Terms:
    """Return the terms of a job, of which only those are kept that are not the common ones."""
    kept = _parsed(text, dict, "terms", exactly=exactly)
    with contextlib.suppress(TypeError, ValueError, KeyError):
        return Terms(**{name: _TERMS[name](value) for name, value in kept.items()})
    if exactly:
        raise Unreadable("its terms in the job file cannot be read")
    return COMMON_TERMS


def _one(wanted: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, wanted):
            raise TypeError(value)
        return value

    return read


def _codes(value: Any) -> tuple[int, ...]:
    """Return codes that a process may exit with."""
    return tuple(range(256).index(code) for code in value)


_TERMS: dict[str, Callable[[Any], Any]] = {
    "stdin": _one(str),
    "ok_exit": _codes,
    "skip_exit": _codes,
    "no_retry_exit": _codes,
    "discards_output": _one(bool),
    "leftovers": Leftovers,
    "is_catchup": _one(bool),
    "ping": _one(str),
    "isolate": _one(bool),
}


def _json_or_none(text: str) -> str | None:
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(text)
        return text
    return None


def _error_of(row: sqlite3.Row) -> ErrorInfo | None:
    if row["error_type"] is None:
        return None
    return ErrorInfo(type=row["error_type"], message=row["error_message"], traceback=row["traceback"])


_EMPTY: dict[type, str] = {list: "[]", dict: "{}"}  # most jobs have little to parse
_KINDS = {each.value: each for each in Kind}
_STATES = {each.value: each for each in State}
_ON_CRASH = {each.value: each for each in OnCrash}
