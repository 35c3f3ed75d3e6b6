"""What is measured of a job file, for people, probes and monitors: how much waits, for how long, and who works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

# Of the durations of attempts, as tallies have them; what takes longer than the last has no step.
STEPS_MS = (100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A queue whose jobs do not begin for now; `until` None: until somebody ends it."""

    queue: str
    since: datetime
    until: datetime | None
    by: str  # the user's name
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMeasure:
    """A queue that has something to do or is paused."""

    queue: str
    ready: int  # due, whether or not a worker was there to see it
    running: int
    oldest_at: datetime | None  # since then its longest waiting job has been due; None: nothing waits
    pause: Pause | None

    def oldest_wait(self, now: datetime) -> timedelta:
        """Return how long the longest waiting job has been due; nought when nothing waits."""
        return timedelta() if self.oldest_at is None else max(now - self.oldest_at, timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The state of the job file at an instant. What a foreground run has reserved is not in it."""

    at: datetime
    queues: tuple[QueueMeasure, ...]  # by name
    scheduled: int  # due later, of all queues
    failed: int  # kept until a person retries or purges them
    crashed: int
    missed: int  # ticks that no scheduler was there for, among those decided since `since`
    since: datetime

    @property
    def ready(self) -> int:
        return sum(each.ready for each in self.queues)

    @property
    def running(self) -> int:
        return sum(each.running for each in self.queues)

    @property
    def oldest_wait(self) -> timedelta:
        """Return the longest wait of a job that could run, in a queue that is not paused."""
        waits = [each.oldest_wait(self.at) for each in self.queues if each.pause is None]
        return max(waits, default=timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How long runs of one work take that end well; how much that says, their number tells."""

    median_s: float
    p95_s: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTally:
    """How many jobs of a work ended in a state, since the job file has been there."""

    queue: str
    work: str  # the entry, else the task of a call, else the kind
    state: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTally:
    """How many attempts of a work ended in one way and took at most so long."""

    work: str
    outcome: str
    up_to_s: float  # the step that their durations belong to; infinite beyond the last one
    count: int
    total_s: float  # that they took together


@dataclass(frozen=True, slots=True, kw_only=True)
class TickTally:
    """How many ticks of an entry were decided in one way."""

    entry: str
    state: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What only grows; `steps_s` are the steps of durations, without the infinite one."""

    jobs: tuple[JobTally, ...]
    attempts: tuple[AttemptTally, ...]
    ticks: tuple[TickTally, ...]
    steps_s: tuple[float, ...]
