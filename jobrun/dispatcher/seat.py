"""One worker as its dispatcher sees it, and the ladder by which its job is made to end."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from jobrun.locks.records import Record
from jobrun.model import Job, Kind
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Why

WATCHED_MARGIN_S = 5.0  # a worker ends the tree that it watches itself; this much later we end the worker
HOLD_S = 0.02  # for no longer may a job hold back those behind it


def is_watched(job: Job) -> bool:
    """Say whether the worker of a job only watches it: a command, or a call in a fork."""
    return job.kind is not Kind.CALL or job.terms.isolate


@dataclass(slots=True, kw_only=True, eq=False)
class Seat:
    """A worker, the jobs it holds, and how far the end of the first has got. Times are monotonic seconds."""

    name: str
    number: int
    pid: int
    channel: Channel
    orders: Channel  # into which its orders are put
    unread: Channel  # out of which it takes them; what it has not begun, we take back there
    jobs: dict[str, Job] = field(default_factory=dict)  # by token: the first runs, or is about to
    is_greeted: bool = False  # it has answered this dispatcher, so we know what it does
    greetings: int = 0  # the last one is to be answered
    since: float = 0.0  # when the first became the first
    due_at: float | None = None  # its time limit, or its deadline
    due_for: Why = Why.TIMEOUT  # which of the two
    why: Why | None = None  # it was told to end
    kill_at: float | None = None
    is_stuck: bool = False  # the first takes long: nothing is put behind it
    is_doomed: bool = False  # its kill was asked for; it gets no further job
    is_retiring: bool = False  # it has said so itself; neither does it

    @property
    def first(self) -> Job | None:
        """The job that runs, as far as we know."""
        return next(iter(self.jobs.values()), None)

    @property
    def is_open(self) -> bool:
        """Say whether this worker may get a job at all."""
        return self.is_greeted and not (self.is_doomed or self.is_retiring)

    def reserve(self) -> list[str]:
        """Return the tokens of the jobs behind the first one."""
        return list(self.jobs)[1:]

    def holds_of(self, queues: Collection[str]) -> bool:
        """Say whether a job of these queues is behind the first one."""
        return bool(queues) and any(self.jobs[token].queue in queues for token in self.reserve())

    def take(self, job: Job, *, now: datetime, monotonic: float) -> None:
        """Take a job, the first one or into reserve."""
        assert job.token is not None
        self.jobs[job.token] = job
        if len(self.jobs) == 1:
            self.begin(job, now=now, monotonic=monotonic)

    def resume(self, jobs: Iterable[Job], record: Record | None, *, now: datetime, monotonic: float) -> None:
        """Take jobs that were found running, first the one that the worker's lock file names as begun last."""
        found = {job.token or "": job for job in jobs}
        last = None if record is None or record.token is None else found.pop(record.token, None)
        if record is not None and last is not None:
            self.take(last, now=now, monotonic=monotonic)
            self.begin(last, now=now, monotonic=monotonic, used_s=monotonic - record.began)
        for job in found.values():
            self.take(job, now=now, monotonic=monotonic)

    def begin(self, job: Job, *, now: datetime, monotonic: float, used_s: float = 0.0) -> None:
        """Let a job be the first; `used_s` of its time are over when a new dispatcher finds it running."""
        self.since = monotonic - used_s
        self.is_stuck = False
        self.why = None
        self.kill_at = None
        self.due_at, self.due_for = None, Why.TIMEOUT
        if job.timeout_s is not None:
            self.due_at = monotonic + max(job.timeout_s - used_s, 0.0)
        if job.deadline_at is not None:
            deadline = monotonic + max((job.deadline_at - now).total_seconds(), 0.0)
            if self.due_at is None or deadline <= self.due_at:
                self.due_at, self.due_for = deadline, Why.DEADLINE

    def drop(self, tokens: Collection[str], *, now: datetime, monotonic: float) -> None:
        """Be rid of jobs, in whatever order they stand here."""
        was_first = self.first
        for token in tokens:
            self.jobs.pop(token, None)
        first = self.first
        if first is None:
            self.due_at = None
            self.kill_at = None
        elif first is not was_first:
            self.begin(first, now=now, monotonic=monotonic)

    def close(self) -> None:
        for end in (self.channel, self.orders, self.unread):
            end.close()

    def stop(self, why: Why, *, grace_s: float, monotonic: float) -> bool:
        """Note that the first job is told to end; False if it was told before, or there is none."""
        if self.first is None or self.why is not None:
            return False
        self.why = why
        self.due_at = None
        margin_s = WATCHED_MARGIN_S if is_watched(self.first) else 0.0
        self.kill_at = monotonic + grace_s + margin_s
        return True

    def grant(self, more_s: float) -> None:
        """Give the first job more time; its deadline, which is a time of day, stays."""
        if self.due_at is not None and self.due_for is Why.TIMEOUT:
            self.due_at += more_s
        if self.kill_at is not None:
            self.kill_at += more_s

    def is_held_up(self, monotonic: float) -> bool:
        """Say whether the jobs behind the first one have waited long enough."""
        return len(self.jobs) > 1 and monotonic - self.since >= HOLD_S

    def next_at(self) -> float | None:
        """Return when something falls due here."""
        hold_until = self.since + HOLD_S if len(self.jobs) > 1 else None
        return min((at for at in (self.due_at, self.kill_at, hold_until) if at is not None), default=None)
