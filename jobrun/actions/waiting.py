"""Waiting for jobs to end: the bell wakes us, and a look once a second is the safety net."""

from __future__ import annotations

import time
from collections.abc import Sequence

from jobrun.actions.looking import get
from jobrun.bell import Tone, listening
from jobrun.errors import WaitRanOut
from jobrun.model import Job, State
from jobrun.paths import side_dir
from jobrun.store import Store

LOOK_S = 1.0  # between looks when no bell rings

SIGNALLED = 128  # sh(1): a command ended by signal n has the status 128 + n
FAILED = 1


def wait(store: Store, ids: Sequence[int], *, timeout_s: float | None = None) -> list[Job]:
    """Return the jobs once all of them have ended.

    Raises `NoSuchJob`, also when one is purged meanwhile, and `WaitRanOut` after `timeout_s`.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    with listening(side_dir(store.path), Tone.DONE) as bell:
        while True:
            bell.drain()
            jobs = [get(store, job_id) for job_id in ids]
            if all(job.state.is_final for job in jobs):
                return jobs
            left_s = LOOK_S if end is None else min(end - time.monotonic(), LOOK_S)
            if left_s <= 0:
                raise _ran_out([job for job in jobs if not job.state.is_final], timeout_s or 0)
            bell.wait(left_s)


def exit_code(jobs: Sequence[Job]) -> int:
    """Return the exit code that says how jobs ended: that of the one job, or 1 if any of several failed."""
    if len(jobs) == 1:
        return _own_code(jobs[0])
    return int(any(_own_code(job) for job in jobs))


def _own_code(job: Job) -> int:
    if job.state is State.SUCCEEDED:
        return 0
    if job.signal:
        return SIGNALLED + job.signal
    return job.exit_code or FAILED


def _ran_out(left: Sequence[Job], timeout_s: float) -> WaitRanOut:
    states = ", ".join(f"job {job.id} is {job.state}" for job in left[:3])
    more = f" and {len(left) - 3} more have not ended" if len(left) > 3 else ""
    return WaitRanOut(f"waited {timeout_s:g} s: {states}{more}")
