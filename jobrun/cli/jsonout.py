"""Jobs as the JSON that other programs read; this mapping is a contract.

Absent values are null, times are RFC 3339 in UTC with milliseconds, durations are seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobrun.errors import JobrunError
from jobrun.model import Attempt, ErrorInfo, Job
from jobrun.units import rfc3339


def dump(value: Any) -> str:
    """Return one line of JSON in ASCII, so that no terminal and no locale can spoil it."""
    return json.dumps(value)


def job_object(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "task": job.task,
        "args": list(job.args),
        "kwargs": dict(job.kwargs),
        "queue": job.queue,
        "priority": job.priority,
        "state": job.state,
        "reason": job.reason,
        "key": job.key,
        "tags": list(job.tags),
        "name": job.name,
        "entry": job.entry,
        "scheduled_for": _time(job.scheduled_for),
        "run_at": _time(job.run_at),
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "expires_at": _time(job.expires_at),
        "cancel_at": _time(job.cancel_at),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "failures": job.failures,
        "crashes": job.crashes,
        "retries": job.retries,
        "backoff_s": job.backoff_s,
        "max_backoff_s": job.max_backoff_s,
        "timeout_s": job.timeout_s,
        "on_crash": job.on_crash,
        "exit_code": job.exit_code,
        "signal": job.signal,
        "result": _value(job.result),
        "note": job.note,
        "error": _error(job.error),
        "worker": job.worker,
        "cwd": job.cwd,
        "umask": None if job.umask is None else f"{job.umask:03o}",
    }


def attempt_object(attempt: Attempt) -> dict[str, Any]:
    ending = attempt.ending
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "pid": attempt.pid,
        "started_at": _time(attempt.started_at),
        "finished_at": _time(attempt.finished_at),
        "outcome": ending.outcome,
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "cause": ending.cause,
        "note": ending.note,
        "error": _error(ending.error),
        "cpu_s": ending.cpu_s,
        "peak_rss": ending.peak_rss,
        "output_size": ending.output.size,
        "output_cut": ending.output.cut,
    }


def error_object(error: JobrunError) -> dict[str, Any]:
    details = {"details": list(error.details)} if error.details else {}
    return {"error": {"code": error.exit_code, "message": error.message, **details}}


def array(objects: Sequence[dict[str, Any]]) -> str:
    """Return a JSON array with one object a line, for programs and for eyes."""
    return "[" + ",\n ".join(map(dump, objects)) + "]"


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _error(error: ErrorInfo | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"type": error.type, "message": error.message, "traceback": error.traceback}
