"""Telling of alerts when no worker does: there is none, its queue is paused, or all have other things to do.

The job that tells is put into a queue that nobody else serves, and a group of one worker is started
for it (`jobrun.herald`), in a session of its own. So it has its time limit, its attempts and its output as
every job, and it is told twice under no other rule than every job runs twice. A call is left to the workers: only they
know where its module is.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from datetime import datetime, timedelta

from jobrun import locks
from jobrun.log import Log
from jobrun.model import DEFAULT_QUEUE
from jobrun.paths import side_dir
from jobrun.queues import reserved_queue
from jobrun.store import Store

PATIENCE = timedelta(seconds=30)  # with workers that are there, until one of them is free
AGAIN = timedelta(minutes=1)  # after a group that could not work
CLOSING_S = 2.0  # at our end, for a group that is about to end


class Heralding:
    """The jobs of a table's alerts that are due to be told, and the group that tells them."""

    def __init__(self, store: Store, table: str, log: Log, *, durability: str) -> None:
        self._store = store
        self._table = table
        self._log = log
        self._durability = durability
        self._queue = reserved_queue(DEFAULT_QUEUE, os.getpid())
        self._group: subprocess.Popen[bytes] | None = None
        self._not_before: datetime | None = None

    @property
    def is_busy(self) -> bool:
        return self._group is not None

    def step(self, *, now: datetime) -> None:
        """Start a group for what nobody tells, unless one is at work."""
        self._reap(now)
        if self._group is not None or (self._not_before is not None and now < self._not_before):
            return
        due = self._store.alerts.untold(self._table, now=now)
        if not due and not self._has_dead_teller():
            return
        is_hopeless = self._is_hopeless(now)
        if not due and not is_hopeless:
            return  # workers who are there find the dead
        # What stands in a reserved queue was ours, or that of a scheduler before us; nobody else takes it.
        ids = [
            job_id
            for job_id, queue, since in due
            if is_hopeless or queue != DEFAULT_QUEUE or now - since >= PATIENCE
        ]
        if not due or (ids and self._store.alerts.reserve(ids, self._queue)):
            self._start(now)

    def close(self) -> None:
        """Wait a moment for a group; it goes on without us."""
        if self._group is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._group.wait(CLOSING_S)
            self._group = None

    def _is_hopeless(self, now: datetime) -> bool:
        """Say whether no worker would take the job, however long it waited."""
        is_paused = any(pause.queue == DEFAULT_QUEUE for pause in self._store.pauses.all(now=now))
        return is_paused or not self._store.readings.listeners(DEFAULT_QUEUE)

    def _has_dead_teller(self) -> bool:
        """Say whether one died who told; a group that we start proves it, and its job is due again."""
        locks_of = side_dir(self._store.path) / "locks"
        return not all(locks.is_held(locks_of / name) for name in self._store.alerts.tellers(self._table))

    def _start(self, now: datetime) -> None:
        words = [sys.executable, "-P", "-m", "jobrun.herald"]
        try:
            self._group = subprocess.Popen(
                [*words, os.fspath(self._store.path), self._queue, self._durability],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._put_off(now, f"cannot start one: {error.strerror}")

    def _reap(self, now: datetime) -> None:
        if self._group is None or (code := self._group.poll()) is None:
            return
        self._group = None
        if code:
            self._put_off(now, f"it ended with {code}")

    def _put_off(self, now: datetime, why: str) -> None:
        self._not_before = now + AGAIN
        self._log.say("alerts-wait", f"alerts wait for a worker of their own; {why}")
