"""From a request to its end: claimed as it is added, run, settled, and tried again here after its back-off."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from jobrun import procs
from jobrun.bell import Tone, listening
from jobrun.errors import JobrunError, NotDone
from jobrun.lifecycle import Settlement, settle
from jobrun.model import Added, Ending, Job, NewJob, State
from jobrun.paths import side_dir
from jobrun.queues import reserved_queue
from jobrun.run.command import Command, Place
from jobrun.run.order import order_of
from jobrun.solo.guard import Guard
from jobrun.solo.post import Post
from jobrun.steps import utc_now
from jobrun.store import Store
from jobrun.wire import shelf
from jobrun.wire.messages import Ended

PATIENCE = timedelta(
    minutes=1
)  # if we are killed between two attempts, this long after the next was due it is too late
GRACE_S = 10.0  # between TERM and KILL


def _spread() -> float:
    return int.from_bytes(os.urandom(6)) / 2**48


def _token() -> str:
    return os.urandom(8).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Clocks and dice; a test brings its own."""

    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    spread: Callable[[], float] = _spread
    new_token: Callable[[], str] = _token


class Ran(NamedTuple):
    """How a job ended that ran here: its last attempt, and what became of the job."""

    job: Job
    ending: Ending
    becomes: Settlement
    signal: int | None  # by which we were told to end it
    fault: JobrunError | None = None  # its end could not be written


def run(
    store: Store, asked: NewJob, *, show: Callable[[int], object] | None = None, host: Host | None = None
) -> Ran | Added:
    """Run a command here, attempt after attempt; the live job that has its key, if one has.

    `show` is given the descriptor of the output file now and then while an attempt runs. Whatever this
    raises, nothing was run; what goes wrong later is the `fault` of what ran.
    """
    side = side_dir(store.path)
    with Post(side) as post, listening(side, Tone.WORK) as bell:
        guard = Guard(store, post, bell, show)
        return _Solo(store, post, guard, host or Host()).run(asked)


class _Solo:
    def __init__(self, store: Store, post: Post, guard: Guard, host: Host) -> None:
        self._store = store
        self._post = post
        self._guard = guard
        self._host = host
        self._side = side_dir(store.path)
        self._queue = ""
        self._strangers = frozenset(procs.children())
        procs.adopt_orphans()

    def run(self, asked: NewJob) -> Ran | Added:
        self._queue = reserved_queue(asked.queue, os.getpid())
        job = self._begin(asked)
        if isinstance(job, Added):
            return job
        while True:
            ran = self._attempt(job, asked)
            if ran.fault is not None or ran.becomes.state.is_final:
                return ran
            try:
                again = self._next_attempt(ran)
            except JobrunError as error:
                return ran._replace(fault=error)
            if isinstance(again, Ran):
                return again
            job = again

    def _begin(self, asked: NewJob) -> Job | Added:
        """Add and claim in one commit, so that nobody ever finds a job that only waits for us."""
        now = self._host.now()
        with self._store.group():
            [added] = self._store.intake.add([replace(asked, queue=self._queue)], now=now)
            if not added.is_new:
                return added
            self._store.workers.join(self._post.row(self._queue, now=now))
            job = self._claim(now)
            if job is None:
                raise NotDone("the job could not be begun")  # nothing is committed
        return job

    def _claim(self, now: datetime) -> Job | None:
        claimed = self._store.queue.claim(
            lambda _task: self._post.name,
            limit=1,
            queues=[self._queue],
            now=now,
            new_token=self._host.new_token,
        )
        return claimed[0] if claimed else None

    def _attempt(self, job: Job, asked: NewJob) -> Ran:
        began_at, began = self._host.now(), self._host.monotonic()
        assert job.token is not None
        self._post.note(job.token, began=began)
        self._guard.begin(job, now=began_at, monotonic=began)
        environment = {} if asked.surroundings is None else asked.surroundings.environment
        order = order_of(job, environment=environment, variables={}, grace_s=GRACE_S)
        ending, pid = Command(order, self._place(job.token)).run(self._guard.listen)
        took_s = self._host.monotonic() - began
        self._guard.show()
        ending = replace(ending, began_at=began_at, took_s=took_s, output=self._post.collect())
        return self._settled(job, ending, pid)

    def _place(self, token: str) -> Place:
        return Place(
            job_file=self._store.path,
            attempt_lock=self._side / "locks" / token,
            output=self._post.output,
            boot=self._post.boot,
            oom_kills=procs.oom_kills(),
            strangers=self._strangers,
        )

    def _settled(self, job: Job, ending: Ending, pid: int | None) -> Ran:
        """Write down how an attempt ended; where that cannot be, keep it beside the file for whoever comes next."""
        spread, now = self._host.spread(), self._host.now()
        becomes = settle(job, ending, now, spread)
        try:
            self._store.check_is_in_place()
            with self._store.group():
                orders = self._store.endings.to_cancel()
                becomes = settle(replace(job, cancel_at=orders.get(job.token)), ending, now, spread)
                self._store.endings.settle(job, ending, becomes, now=now, pid=pid)
                if becomes.state.is_final:
                    self._store.workers.leave(self._post.name)
                else:
                    self._keep_for_us(job.id, becomes)
        except JobrunError as error:
            self._shelve(Ended(token=job.token or "", ending=ending, pid=pid))
            return Ran(job, ending, becomes, self._guard.signal, fault=error)
        return Ran(job, ending, becomes, self._guard.signal)

    def _keep_for_us(self, job_id: int, becomes: Settlement) -> None:
        due_at = becomes.run_at or self._host.now()
        self._store.endings.keep_for(job_id, self._queue, expires_at=due_at + PATIENCE)

    def _shelve(self, ended: Ended) -> None:
        self._post.keep_files()
        try:
            shelf.put(self._side / "spool", ended)
        except OSError:
            return  # then the next recovery takes it for a crash, which is the most that can be known

    def _next_attempt(self, ran: Ran) -> Job | Ran:
        """Wait for the back-off to be over and begin again, unless somebody ends the job meanwhile."""
        job_id = ran.job.id
        while (found := self._store.ledger.get(job_id)) is not None and not found.state.is_final:
            now = self._host.now()
            if found.run_at <= now and (job := self._begin_again(now)) is not None:
                return job
            self._guard.rest((found.run_at - now).total_seconds())
            if self._guard.signal is not None:
                found = self._store.orders.cancel(job_id, now=self._host.now())
                break
        with self._store.group():
            self._store.workers.leave(self._post.name)
        if found is None or not found.state.is_final:
            raise NotDone(f"job {job_id} was taken from us while it waited for its next attempt")
        ended = Settlement(state=found.state, failures=found.failures, reason=found.reason)
        return Ran(ran.job, ran.ending, ended, self._guard.signal)

    def _begin_again(self, now: datetime) -> Job | None:
        with self._store.group():
            self._store.queue.promote(now=now)
            return self._claim(now)


def is_over(ran: Ran) -> bool:
    """Say whether a job that ran here ended well."""
    return ran.becomes.state in {State.SUCCEEDED, State.SKIPPED}
