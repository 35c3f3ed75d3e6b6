"""Waiting for a job and leaving with its code, as `wait` and `enqueue --wait` do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jobrun.actions import looking, output, waiting
from jobrun.cli import render
from jobrun.cli.printing import Printer, tell_change
from jobrun.errors import JobrunError, WaitRanOut
from jobrun.model import Job, State
from jobrun.store import Store, open_store

OWN_ERROR = 125  # as timeout(1), so that it is not taken for the job's own code


def wait_and_exit(path: Path, job_id: int, *, follow: bool) -> int:
    """Wait for a job, with `follow` passing on what it prints, and return its exit code."""
    with own_errors(), open_store(path) as store:
        tell_if_idle(store, [job_id])
        if follow:
            return waiting.exit_code([output.follow(store, job_id, Printer(raw=False), tell=tell_change)])
        return told_code(waiting.wait(store, [job_id]))


def told_code(jobs: Sequence[Job]) -> int:
    """Return the exit code of jobs that have ended, and say of each that did not succeed how it did."""
    for job in jobs:
        if job.state is not State.SUCCEEDED:
            tell_change(job)
    return waiting.exit_code(jobs)


def tell_if_idle(store: Store, ids: Iterable[int]) -> None:
    """Say that somebody waits in vain: the jobs have not ended, and no worker lives."""
    jobs = (store.ledger.get(job_id) for job_id in ids)
    is_open = any(job is not None and not job.state.is_final for job in jobs)
    if is_open and not any(worker.is_alive for worker in looking.workers(store)):
        render.remark("no worker is running; start one with `jobrun worker`")


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Give our errors the code 125, but that of a wait that ran out."""
    try:
        yield
    except WaitRanOut:
        raise
    except JobrunError as error:
        error.exit_code = OWN_ERROR
        raise
