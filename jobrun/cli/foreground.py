"""Running an entry before one's eyes: a group of one worker that serves its job alone, and dies with us."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile

from jobrun.actions import entries, output, waiting
from jobrun.cli import render
from jobrun.cli.answers import uninterrupted
from jobrun.cli.enqueue import tell_created
from jobrun.cli.place import utc_now
from jobrun.cli.printing import Printer, tell_change
from jobrun.cli.waiting import own_errors
from jobrun.cron.words import Entry
from jobrun.errors import JobrunError, NotDone
from jobrun.log import Log
from jobrun.model import Job, State
from jobrun.queues import reserved_queue
from jobrun.signals import Signals
from jobrun.store import Store, open_store
from jobrun.supervisor import Settings, run
from jobrun.supervisor.forking import fork

_PATIENCE = timedelta(minutes=1)  # if we are killed before it begins, it is nobody's job
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_here(path: Path, entry: Entry, *, import_paths: tuple[str, ...]) -> int:
    """Run an entry as a worker would, show what it prints, and return its exit code.

    The first ^C cancels the job, the second leaves it to its end. There is one attempt: nobody waits
    at a terminal for a retry.
    """

    def add(store: Store, queue: str, expires_at: datetime) -> int:
        here = replace(entry, queue=queue, retries=0)
        return entries.trigger(store, here, now=utc_now(), expires_at=expires_at)

    return run_added(path, entry.queue, add, import_paths=import_paths)


def run_added(
    path: Path, queue: str, add: Callable[[Store, str, datetime], int], *, import_paths: tuple[str, ...] = ()
) -> int:
    """Run the job that `add` puts into a queue which is ours alone, and return its exit code.

    `queue` is the one that it belongs to otherwise; nobody runs it after the instant that `add` is given.
    """
    queue = reserved_queue(queue, os.getpid())
    with own_errors(), TemporaryFile() as log:
        with uninterrupted(), open_store(path, create=True) as store:
            tell_created(store)
            job_id = add(store, queue, utc_now() + _PATIENCE)
        render.remark(f"[job {job_id} runs here; ^C cancels it]")
        signals = Signals(_ENDING)
        settings = Settings(path=path, workers=1, queues=(queue,), burst=True, import_paths=import_paths)
        group = fork(lambda: _serve(settings, log.fileno()), let_go=_nothing, stacks_fd=2)
        with open_store(path) as store:
            try:
                return waiting.exit_code([_followed(store, job_id, signals, group)])
            except NotDone:
                log.seek(0)
                render.remark(*log.read().decode(errors="backslashreplace").rstrip().split("\n"))
                raise


def _serve(settings: Settings, log: int) -> int:
    """Run the group; what it logs is shown only if it could not do its work."""
    os.dup2(log, 2)
    try:
        return run(settings)
    except JobrunError as error:
        Log("supervisor").refuse(error)
        return error.exit_code


def _followed(store: Store, job_id: int, signals: Signals, group: int) -> Job:
    """Pass on what the job prints until it has ended; return it then."""
    asked, is_over = 0, False
    for job in output.looks(store, job_id, Printer(raw=False)):
        if came := len(signals.take()):
            asked += came
            if asked > 1:
                render.remark("", f"[job {job_id} goes on without us; `jobrun why {job_id}` tells of it]")
                raise KeyboardInterrupt
            store.orders.cancel(job_id, now=utc_now())
        is_over = is_over or os.waitpid(group, os.WNOHANG)[0] == group
        if is_over and job.state in {State.SCHEDULED, State.READY}:
            _give_up(store, job_id)
    if not is_over:
        os.waitpid(group, 0)
    tell_change(job)
    return job


def _give_up(store: Store, job_id: int) -> None:
    """Cancel a job whose group is gone before it ran; it may have ended while we looked."""
    after = store.orders.cancel(job_id, now=utc_now())
    if after is None or after.state is State.CANCELLED:
        raise NotDone(f"job {job_id} could not be run here, and is cancelled")


def _nothing() -> None:
    """Close nothing: the child of ours has no siblings."""
