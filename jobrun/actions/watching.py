"""Watching: a picture of the job file again and again, each part read as seldom as its cost demands."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from jobrun.actions.looking import WorkerView, last_troubled, worker_view
from jobrun.actions.tables import TableView, tables
from jobrun.measures import Measures, Pause, QueueMeasure, Usual
from jobrun.model import Job
from jobrun.store import Store

TROUBLED = 50  # jobs that failed or crashed
SHARE = 0.002  # of a core that each part may take
COUNT_SHARE = 0.004  # the same of what runs, and of what counts all that waits
DEAR_S = 0.02  # what costs more is not hurried by an order
SELDOMEST_S = 300.0  # whatever it costs
ALIVE_S = 5.0  # between looks at what changes without a commit: the locks of workers and schedulers
SPAN_S = 60.0  # of which the rate of a queue is told
SHORT_S = 10.0  # below this the last ends say more than what was counted
LATELY = timedelta(minutes=1)
MISSED = timedelta(days=1)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A running job, and how long runs of its work usually take."""

    job: Job
    usual: Usual | None

    def elapsed_s(self, now: datetime) -> float:
        """Return for how long it has run."""
        return 0.0 if self.job.started_at is None else max((now - self.job.started_at).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    measure: QueueMeasure
    per_minute: float  # jobs that end


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The job file as it was at an instant; what takes long to count was counted at another."""

    at: datetime
    running: tuple[RunView, ...]  # the longest there first
    queues: tuple[QueueView, ...]
    workers: tuple[WorkerView, ...]
    troubled: tuple[Job, ...]  # the last that failed or crashed
    tables: tuple[TableView, ...]
    measures: Measures

    @property
    def living(self) -> int:
        return sum(worker.is_alive and worker.serves_queues for worker in self.workers)

    @property
    def dead(self) -> int:
        return sum(not worker.is_alive for worker in self.workers)


class Sample(NamedTuple):
    """How many jobs of each queue had ended at an instant of the monotonic clock."""

    at_s: float
    ended: Mapping[str, int]


def per_minute(samples: Sequence[Sample]) -> dict[str, float] | None:
    """Return how many jobs of each queue have ended in a minute; None while that is not known.

    >>> per_minute([Sample(0.0, {"mail": 10}), Sample(30.0, {"mail": 70, "web": 1})])
    {'mail': 120.0, 'web': 2.0}
    """
    if not samples or (span_s := samples[-1].at_s - samples[0].at_s) < SHORT_S:
        return None
    first, last = samples[0].ended, samples[-1].ended
    return {queue: (last[queue] - first.get(queue, 0)) * 60 / span_s for queue in last}


def rest_s(cost_s: float, share: float) -> float:
    """Return for how long a read is to rest that took so long of a core, of which it may take a share.

    >>> rest_s(0.05, 0.01), rest_s(100.0, 0.01)
    (5.0, 300.0)
    """
    return min(cost_s / share, SELDOMEST_S)


class Look(NamedTuple):
    """One look at the file: when, by both clocks, and how much was committed before it."""

    now: datetime
    clock_s: float  # monotonic
    changes: int
    at_once: bool  # after an order, whose effect is to be seen


class Repeated(Generic[Value]):
    """A read that is repeated when something has changed, but never so often that it is a burden."""

    def __init__(
        self,
        read: Callable[[datetime], Value],
        *,
        within_s: float | None = None,
        share: float = SHARE,
        used_s: Callable[[], float] = time.thread_time,
    ) -> None:
        """Read by a function; with `within_s` also when nothing was committed for so long."""
        self._read = read
        self._within_s = within_s
        self._share = share
        self._used_s = used_s  # how much of a core, so far
        self._cost_s = 0.0
        self._seen: int | None = None
        self._read_at = self._due_at = float("-inf")
        self._last: list[Value] = []

    def value(self, look: Look) -> Value:
        """Return what was read last, or what is read now."""
        if self._is_due(look):
            before_s = self._used_s()
            self._last = [self._read(look.now)]
            self._cost_s = self._used_s() - before_s
            self._seen, self._read_at = look.changes, look.clock_s
            self._due_at = look.clock_s + rest_s(self._cost_s, self._share)
        return self._last[0]

    def is_of_now(self, look: Look) -> bool:
        """Say whether nothing was committed since it was read."""
        return self._seen == look.changes

    def _is_due(self, look: Look) -> bool:
        if not self._last or (look.at_once and self._cost_s < DEAR_S):
            return True
        is_old = self._within_s is not None and look.clock_s >= self._read_at + self._within_s
        return look.clock_s >= self._due_at and (is_old or look.changes != self._seen)


class Watcher:
    """Looks at an open job file for as long as somebody watches."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._samples: deque[Sample] = deque()
        self._measures = Repeated(
            lambda now: store.measuring.measures(since=now - MISSED, now=now),
            within_s=SELDOMEST_S,
            share=COUNT_SHARE,
        )
        self._running = Repeated(lambda now: _running(store, now), share=COUNT_SHARE)
        self._workers = Repeated(lambda _now: _workers(store), within_s=ALIVE_S)
        self._troubled = Repeated(lambda _now: last_troubled(store, limit=TROUBLED))
        self._tables = Repeated(lambda _now: tables(store), within_s=ALIVE_S)
        self._pauses = Repeated(lambda now: store.pauses.all(now=now), within_s=ALIVE_S)
        self._ended = Repeated(lambda _now: store.pulse.ended())
        self._lately = Repeated(lambda now: store.pulse.ends_per_s(since=now - LATELY, now=now))

    def look(self, now: datetime, *, clock_s: float, at_once: bool = False) -> Picture:
        """Return the picture of now.

        Raises `JobrunError` as any read does, and when the file is not in its place any more.
        """
        self._store.check_is_in_place()
        look = Look(now, clock_s, self._store.pulse.changes(), at_once)
        # Beside the repeated read: usual times are read once a minute, and that must not make this read rest.
        running = tuple(
            RunView(job=job, usual=self._store.usual.of(job, now=now)) for job in self._running.value(look)
        )
        by_worker = {view.job.worker: view.job for view in running}
        measures = self._measures.value(look)
        if self._measures.is_of_now(look):
            measures = replace(measures, at=now)
        return Picture(
            at=now,
            running=running,
            queues=queues(measures, self._pauses.value(look), running, self._rates(look)),
            workers=tuple(
                replace(each, job=by_worker.get(each.row.name)) for each in self._workers.value(look)
            ),
            troubled=self._troubled.value(look),
            tables=self._tables.value(look),
            measures=measures,
        )

    def _rates(self, look: Look) -> Mapping[str, float]:
        """Return the ends in a minute of each queue."""
        self._samples.append(Sample(look.clock_s, self._ended.value(look)))
        while look.clock_s - self._samples[0].at_s > SPAN_S:
            self._samples.popleft()
        found = per_minute(self._samples)
        if found is None:
            found = {queue: rate * 60 for queue, rate in self._lately.value(look).items()}
        return found


def queues(
    measures: Measures, pauses: Iterable[Pause], running: Iterable[RunView], rates: Mapping[str, float]
) -> tuple[QueueView, ...]:
    """Return the queues that have something to do, did something or are paused; what waits may be older news."""
    measured = {each.queue: each for each in measures.queues}
    paused = {each.queue: each for each in pauses}
    at_work = Counter(view.job.queue for view in running)
    active = {queue for queue, rate in rates.items() if rate > 0}
    return tuple(
        QueueView(
            measure=QueueMeasure(
                queue=queue,
                ready=measured[queue].ready if queue in measured else 0,
                running=at_work[queue],
                oldest_at=measured[queue].oldest_at if queue in measured else None,
                pause=paused.get(queue),
            ),
            per_minute=rates.get(queue, 0.0),
        )
        for queue in sorted({*measured, *paused, *at_work, *active})
        if queue in paused or queue in active or at_work[queue] or measured[queue].ready
    )


def _running(store: Store, now: datetime) -> list[Job]:
    return sorted(store.endings.running(), key=lambda job: job.started_at or now)


def _workers(store: Store) -> tuple[WorkerView, ...]:
    return tuple(worker_view(store.path, row, None) for row in store.workers.all())
