"""One worker as its dispatcher sees it, and the ladder by which its job is made to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobrun.model import Job, Kind
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Why

COMMAND_MARGIN_S = 5.0  # a worker ends its command's tree itself; this much later we end the worker


@dataclass(slots=True, kw_only=True)
class Seat:
    """A worker, the job it runs, and how far the end of that job has got. Times are monotonic seconds."""

    name: str
    number: int
    pid: int
    channel: Channel
    job: Job | None = None
    is_greeted: bool = False  # it has answered this dispatcher, so we know what it does
    due_at: float | None = None  # the job's time limit, or its deadline
    due_for: Why = Why.TIMEOUT  # which of the two
    why: Why | None = None  # it was told to end
    kill_at: float | None = None
    is_doomed: bool = False  # its kill was asked for; it gets no further job

    @property
    def is_free(self) -> bool:
        return self.can_take(is_done=self.job is None)

    def can_take(self, *, is_done: bool) -> bool:
        """Say whether this worker may get a job, given that its own is done or that it has none."""
        return (is_done or self.job is None) and self.is_greeted and not self.is_doomed

    def runs(self, token: str) -> bool:
        return self.job is not None and self.job.token == token

    def begin(self, job: Job, *, now: datetime, monotonic: float, used_s: float = 0.0) -> None:
        """Take a job; `used_s` of its time are over already when a new dispatcher finds it running."""
        self.job = job
        self.why = None
        self.kill_at = None
        self.due_at, self.due_for = None, Why.TIMEOUT
        if job.timeout_s is not None:
            self.due_at = monotonic + max(job.timeout_s - used_s, 0.0)
        if job.deadline_at is not None:
            deadline = monotonic + max((job.deadline_at - now).total_seconds(), 0.0)
            if self.due_at is None or deadline <= self.due_at:
                self.due_at, self.due_for = deadline, Why.DEADLINE

    def end(self) -> None:
        """Be rid of the job."""
        self.job = None
        self.due_at = None
        self.kill_at = None

    def stop(self, why: Why, *, grace_s: float, monotonic: float) -> bool:
        """Note that the job is told to end; False if it was told before, or there is none."""
        if self.job is None or self.why is not None:
            return False
        self.why = why
        self.due_at = None
        margin_s = 0.0 if self.job.kind is Kind.CALL else COMMAND_MARGIN_S
        self.kill_at = monotonic + grace_s + margin_s
        return True

    def next_at(self) -> float | None:
        """Return when something falls due here."""
        return min((at for at in (self.due_at, self.kill_at) if at is not None), default=None)
