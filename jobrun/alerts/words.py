"""The words of alerts: a condition that is measured, an alert that tells of it, and the latch between both.

An alert is one `[alerts.NAME]` of a table. Its condition holds or does not; once it has held for
long enough the alert fires, which is told once, and told again when it is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from jobrun.cron.words import Errand
from jobrun.model import NewJob


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Quantity(StrEnum):
    """What is measured; also the key of the table that says at which value an alert is due."""

    DEPTH = "depth"  # ready jobs
    WAIT = "wait"  # seconds that the longest waiting job has been due
    FAILURE_RATE = "failure_rate"  # share of the runs that ended
    NO_WORKER = "no_worker"  # 1: nobody works, 0: somebody does
    MISSED = "missed"  # ticks
    SLOW = "slow"  # times as long as usual


class Event(StrEnum):
    """What of an alert is told."""

    FIRING = "firing"
    REMINDER = "reminder"
    OVER = "over"
    TEST = "test"  # a person wants to see it arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """It holds at `threshold` and above. Of `queue`, `entry` and `task` at most one is given."""

    quantity: Quantity
    threshold: float
    queue: str | None = None
    entry: str | None = None
    task: str | None = None
    over_s: float = 3600.0  # how far back failed runs and missed ticks are looked for
    runs: int = 5  # fewer have no failure rate
    at_least_s: float = 60.0  # what took less is not slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One `[alerts.NAME]`, checked."""

    name: str
    condition: Condition
    severity: Severity = Severity.WARNING
    for_s: float = 0.0  # it must hold so long to be told, and not hold so long to be over
    remind_s: float | None = None
    on_end: bool = True  # told when it is over
    errand: Errand | None = None  # None: shown, and told to nobody
    line: int = 0  # of its head in the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was measured; `value` None: too little was there to be measured, and the condition does not hold."""

    value: float | None
    text: str  # for people, with what it was measured of


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """How far an alert has got."""

    holds_since: datetime | None = None
    calm_since: datetime | None = None  # it was told, and holds no longer
    told_at: datetime | None = None  # it fires since then
    reminded_at: datetime | None = None
    tells: int = 0  # how often it was told that it fires


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """What the job file knows of an alert."""

    alert: Alert  # without its errand
    table: str
    digest: str  # changes when anything of the alert does
    template: NewJob | None  # the job that tells; None: nobody is told
    latch: Latch = field(default_factory=Latch)
    last_event: Event | None = None  # told last
    last_at: datetime | None = None
    last_text: str | None = None  # what was measured then
    job_id: int | None = None  # that told it; it may be purged


class Standing(StrEnum):
    """How an alert stands, for people."""

    OK = "ok"
    PENDING = "pending"  # it holds, and not for long enough
    FIRING = "firing"
