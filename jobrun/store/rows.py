"""Rows of the job file and the words they stand for."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import Any

from jobrun.model import Attempt, Ending, ErrorInfo, Job, Kind, OnCrash, Outcome, Output, State, WorkerRow
from jobrun.units import from_ms

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


def job_of(row: sqlite3.Row) -> Job:
    """Return the job that a row of `JOB_WITH_LAST_ATTEMPT` stands for."""
    return Job(
        id=row["id"],
        kind=Kind(row["kind"]),
        task=row["task"],
        args=tuple(json.loads(row["args"])),
        kwargs=json.loads(row["kwargs"]),
        queue=row["queue"],
        priority=row["priority"],
        state=State(row["state"]),
        reason=row["reason"],
        key=row["key"],
        tags=tuple(json.loads(row["tags"])),
        name=row["name"],
        entry=row["entry"],
        scheduled_for=_instant(row["scheduled_for"]),
        run_at=from_ms(row["run_at"]),
        created_at=from_ms(row["created_at"]),
        started_at=_instant(row["started_at"]),
        finished_at=_instant(row["finished_at"]),
        expires_at=_instant(row["expires_at"]),
        cancel_at=_instant(row["cancel_at"]),
        attempt=row["attempt"],
        failures=row["failures"],
        crashes=row["crashes"],
        retries=row["retries"],
        backoff_s=row["backoff_ms"] / 1000,
        max_backoff_s=row["max_backoff_ms"] / 1000,
        timeout_s=_seconds(row["timeout_ms"]),
        on_crash=OnCrash(row["on_crash"]),
        token=row["token"],
        worker=row["worker"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        result=row["result"],
        note=row["note"],
        error=_error_of(row),
        cwd=row["cwd"],
        umask=row["umask"],
        environment=row["environment"],
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
        started_at=from_ms(row["started_at"]),
        finished_at=from_ms(row["finished_at"]),
        ending=ending,
    )


def worker_of(row: sqlite3.Row) -> WorkerRow:
    """Return the worker that a row stands for."""
    return WorkerRow(
        name=row["name"],
        number=row["number"],
        pid=row["pid"],
        group_pid=row["group_pid"],
        queues=tuple(json.loads(row["queues"])),
        started_at=from_ms(row["started_at"]),
        stopping_at=_instant(row["stopping_at"]),
    )


def compact(value: Any) -> str:
    """Return JSON without blanks; lone surrogates and all beyond ASCII are escaped."""
    return json.dumps(value, separators=(",", ":"))


def storable(text: str | None) -> str | None:
    """Return text that SQLite can keep: without lone surrogates, which have no UTF-8, and NULs."""
    if text is None:
        return None
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _error_of(row: sqlite3.Row) -> ErrorInfo | None:
    if row["error_type"] is None:
        return None
    return ErrorInfo(type=row["error_type"], message=row["error_message"], traceback=row["traceback"])
