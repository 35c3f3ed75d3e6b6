"""The words of the cron table: what an entry, its schedule, an occurrence and a tick are.

An entry is one `[jobs.NAME]` of a table. Its schedule has occurrences, computed and never stored; an
occurrence that has fallen due is a tick, a row that says what became of it, unique per entry and instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any

from jobrun.model import COMMON_TERMS, DEFAULT_QUEUE, Kind, NewJob, OnCrash, Surroundings, Terms


class Overlap(StrEnum):
    """What a tick does while a job of its entry is live."""

    SKIP = "skip"
    QUEUE = "queue"  # wait for its end; one waits, the newest
    ALLOW = "allow"
    REPLACE = "replace"  # cancel it, wait for its end


class Catchup(StrEnum):
    """What is made up of ticks that nobody served when they were due."""

    NONE = "none"
    ONE = "one"  # the newest
    ALL = "all"  # oldest first, one at a time, at most `MOST_CAUGHT_UP`


class Dst(StrEnum):
    """What a change of the clocks does to a run at a fixed time of day."""

    VIXIE = "vixie"  # skipped time: right after the gap; repeated time: the first pass
    SKIP = "skip"  # skipped time: not at all; repeated time: the first pass
    WALL = "wall"  # whenever the clock on the wall shows it: not at all, and twice


class TickState(StrEnum):
    RAN = "ran"  # it became a job
    PENDING = "pending"  # it will, when the job in the way has ended
    MISSED = "missed"  # nobody was there, and it was too late afterwards
    SKIPPED = "skipped"  # a job of its entry was in the way
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRule:
    """Which days of a month match: by their date, by their weekday, by both or by either.

    Weekdays count from 0, Sunday. `from_end` 0 is the last day of the month, 1 the one before.
    `nearest` are dates whose nearest weekday (Monday to Friday) within the month is meant.
    """

    dates: frozenset[int]
    weekdays: frozenset[int]
    from_end: frozenset[int] = frozenset()
    nearest: frozenset[int] = frozenset()
    is_last_workday: bool = False  # LW
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()  # (weekday, n): d#n
    last_weekdays: frozenset[int] = frozenset()  # dL
    needs_both: bool = True  # one of the two fields begins with a star (cronie, entry.c, DOM_STAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A cron expression of five fields, parsed; numbers ascend."""

    text: str  # as written
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    days: DayRule
    is_wildcard: bool  # minute or hour begins with a star: it follows elapsed time when the clocks change


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """An interval, counted on from an anchor; seconds."""

    interval_s: float


class Special(StrEnum):
    REBOOT = "@reboot"  # once for each boot of the machine
    MANUAL = "@manual"  # only when a person triggers it


Schedule = Expression | Every | Special


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One time at which a schedule falls due."""

    at: datetime  # UTC: when it runs, but for jitter
    local: datetime  # the same instant in the entry's zone
    moved_from: datetime | None = None  # naive: the local time that a change of the clocks skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A command or a task as a table names it: what an entry runs, or whom it tells of its luck."""

    kind: Kind
    task: str
    args: tuple[Any, ...] = ()
    surroundings: Surroundings | None = None  # its own: a call adds to its worker's, a command does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `[jobs.NAME]`, checked. Fields that a job has mean what they mean in `NewJob`."""

    name: str
    kind: Kind
    task: str
    schedule: Schedule
    schedule_text: str  # as written, "@every 10m" for `every = "10m"`
    zone: tzinfo
    zone_name: str
    line: int = 0  # of its head in the table
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    is_enabled: bool = True
    dst: Dst = Dst.VIXIE
    overlap: Overlap = Overlap.SKIP
    catchup: Catchup = Catchup.ONE
    catchup_window_s: float | None = None  # None: half the interval, at most an hour
    jitter_s: float = 0.0
    seed: str = ""  # of H and jitter
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    retries: int = 0
    backoff_s: float = 10.0
    max_backoff_s: float = 600.0
    timeout_s: float | None = None
    deadline_s: float | None = None
    on_crash: OnCrash = OnCrash.RETRY
    tags: tuple[str, ...] = ()
    terms: Terms = COMMON_TERMS
    surroundings: Surroundings | None = None
    on_failure: Errand | None = None
    on_recovery: Errand | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySpec:
    """An entry to be loaded; `digest` is of all its fields, `schedule_digest` of what its times depend on."""

    entry: Entry
    digest: str
    schedule_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What loading a table changed: names of entries, in their order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """What the job file knows of an entry."""

    name: str
    table: str  # path of its table
    schedule_text: str
    zone_name: str
    digest: str  # changes when anything of the entry does
    since: datetime  # no tick before this instant is made up
    done_until: datetime  # every tick at or before this instant is decided
    anchor: datetime  # from which an interval is counted
    boot_id: str  # of the last boot that the entry has seen
    is_enabled: bool
    removed_at: datetime | None  # no table has it any more
    paused_at: datetime | None
    paused_until: datetime | None  # None while paused: until somebody resumes it
    failing_since: datetime | None
    failed_runs: int  # in a row
    last_success_at: datetime | None

    def is_paused_at(self, instant: datetime) -> bool:
        if self.paused_at is None or instant < self.paused_at:
            return False
        return self.paused_until is None or instant < self.paused_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An occurrence that is to come; `row` is None for an entry that no scheduler has loaded yet."""

    entry: Entry
    occurrence: Occurrence
    row: EntryRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The occurrences of an entry before an instant, at it and after it."""

    before: Occurrence | None
    there: Occurrence | None
    after: Occurrence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTick:
    """A tick decided: what becomes of one due occurrence, or of several in a row.

    `count` ticks, the first at `at` and the last at `last`, share one row when nobody could run them
    any more; it is None when they were too many to count.
    """

    at: datetime
    state: TickState
    job: NewJob | None = None  # given with RAN
    moved_from: datetime | None = None
    reason: str | None = None
    in_way: int | None = None  # id of the job in the way
    last: datetime | None = None
    count: int | None = 1

    @property
    def end(self) -> datetime:
        """Return the instant of the last tick, which may be the first."""
        return self.last or self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A stored tick."""

    entry: str
    at: datetime
    state: TickState
    job_id: int | None  # that it became
    moved_from: datetime | None
    reason: str | None
    in_way: int | None
    last: datetime
    count: int | None
    decided_at: datetime


class Turn(StrEnum):
    """A change of an entry's luck, of which somebody is told."""

    FAILED = "failed"  # after a success, or at its first run
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """Who schedules a table, or did so last: whether it lives, its lock tells."""

    path: str
    pid: int  # of the supervisor
    started_at: datetime
    problem: str | None  # why the last change of the file was not taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A message to a monitor that is still to be sent."""

    id: int
    url: str
    entry: str | None
    job_id: int | None
    body: bytes
    tries: int  # that failed
    due_at: datetime
    created_at: datetime
