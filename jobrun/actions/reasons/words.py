"""The words of why: the facts that are asked, and the reasons that are answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TypeVar

from jobrun.actions.looking import WorkerView
from jobrun.actions.tables import TableView
from jobrun.cron.words import Entry, EntryRow, Neighbours, Occurrence, Tick
from jobrun.measures import Pause
from jobrun.model import Attempt, Job, State
from jobrun.queues import serves
from jobrun.store.standing import NOTHING_AHEAD, Ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason: a word for programs, a sentence for people, and what to do next, which ends no sentence."""

    code: str
    text: str
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """A job, who could run it, and what may be in its way."""

    job: Job
    now: datetime
    zone: tzinfo  # of the person who asks
    workers: tuple[WorkerView, ...] = ()  # that the file knows, dead ones included
    pause: Pause | None = None  # of its queue
    ahead: Ahead = NOTHING_AHEAD
    attempt: Attempt | None = None  # the last that ended, without what it printed
    tick: Tick | None = None  # that it came from
    key_holder: int | None = None  # the live job that has its key
    path: str | None = None  # PATH as its command saw it; None: that of its worker
    memory: int | None = None  # bytes of this host

    @property
    def is_due(self) -> bool:
        """Say whether it could be claimed; what is due and still scheduled, no dispatcher has seen."""
        return self.job.state is State.READY or (
            self.job.state is State.SCHEDULED and self.job.run_at <= self.now
        )

    @property
    def takers(self) -> list[WorkerView]:
        """Return the living workers that listen to its queue."""
        return [each for each in self._listeners() if each.is_alive]

    @property
    def dead(self) -> list[WorkerView]:
        """Return the dead ones that did."""
        return [each for each in self._listeners() if not each.is_alive]

    @property
    def worker(self) -> WorkerView | None:
        """Return the worker that runs it, as far as the file knows it."""
        return next((each for each in self.workers if each.row.name == self.job.worker), None)

    def _listeners(self) -> list[WorkerView]:
        queue = self.job.queue
        return [each for each in self.workers if serves(each.row.queues, queue)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TickFacts:
    """A tick, the job that it became, and the one that was in its way, as far as they are kept."""

    tick: Tick
    row: EntryRow
    now: datetime
    zone: tzinfo  # of the entry
    job: Job | None = None
    in_way: Job | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFacts:
    """An instant at which an entry has no tick. `found` is None when its table cannot be read."""

    at: datetime
    row: EntryRow
    now: datetime
    zone: tzinfo
    found: Neighbours | None

    @property
    def there(self) -> Occurrence | None:
        """Return the occurrence that was meant."""
        return None if self.found is None else self.found.there


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFacts:
    """An entry as it stands. `entry` is None when its table cannot be read or has it no more."""

    row: EntryRow
    table: TableView
    now: datetime
    zone: tzinfo
    entry: Entry | None
    next_at: datetime | None
    ticks: Sequence[Tick] = ()  # the last ones, the newest first


Facts = TypeVar("Facts")
Rule = Callable[[Facts], Reason | None]


def every(rules: Sequence[Rule[Facts]], facts: Facts) -> list[Reason]:
    """Return what all rules that have something to say answer, in their order."""
    return [reason for rule in rules if (reason := rule(facts)) is not None]


def first(rules: Sequence[Rule[Facts]], facts: Facts) -> list[Reason]:
    """Return the answer of the first rule that has one."""
    return next(([reason] for rule in rules if (reason := rule(facts)) is not None), [])
