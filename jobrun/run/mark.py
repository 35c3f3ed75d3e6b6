"""What a job finds in its environment; `JOBRUN_TOKEN` also marks all that it starts."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from jobrun import procs
from jobrun.model import Job, Leftovers, NewJob
from jobrun.units import rfc3339
from jobrun.wire.messages import Run

_TOKEN, _LEFTOVERS = "JOBRUN_TOKEN", "JOBRUN_LEFTOVERS"


def variables(order: Run, job_file: Path) -> dict[str, str]:
    """Return the variables that are set for one attempt."""
    return {
        "JOBRUN_ID": str(order.job_id),
        "JOBRUN_NAME": order.name or "",
        "JOBRUN_QUEUE": order.queue,
        "JOBRUN_ATTEMPT": str(order.attempt),
        "JOBRUN_MAX_ATTEMPTS": str(order.max_attempts),
        _TOKEN: order.token,
        _LEFTOVERS: order.terms.leftovers,
        "JOBRUN_DB": str(job_file),
        **order.variables,
    }


def entry_variables(job: Job | NewJob, last_success_at: datetime | None) -> dict[str, str]:
    """Return the variables that a job of a cron entry has besides; none for any other job.

    `last_success_at` is when a job of its entry last succeeded.
    """
    if job.entry is None:
        return {}
    instants = {"JOBRUN_SCHEDULED_FOR": job.scheduled_for, "JOBRUN_LAST_SUCCESS": last_success_at}
    return {
        "JOBRUN_ENTRY": job.entry,
        **{name: rfc3339(instant) for name, instant in instants.items() if instant is not None},
        **({"JOBRUN_CATCHUP": "1"} if job.terms.is_catchup else {}),
    }


def mark(token: str) -> str:
    """Return the mark by which the kernel's view of a process tells its attempt."""
    return f"{_TOKEN}={token}"


def is_kept(pid: int, folder: Path) -> bool:
    """Say whether a process was left behind by a job that keeps what it leaves, and that has ended.

    It has when its attempt's lock is gone from `folder`: who runs a command removes that at its end.
    """
    if procs.variable(pid, _LEFTOVERS) != Leftovers.KEEP:
        return False
    token = procs.variable(pid, _TOKEN)
    return token is not None and token not in os.listdir(folder)
