"""Whether a job file is well: what was measured, against thresholds; the words and codes of monitoring plugins.

See www.monitoring-plugins.org/doc/guidelines.html: how bad it is, what a person reads, what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import IntEnum

from jobrun.measures import Measures, QueueMeasure
from jobrun.queues import serves
from jobrun.units import format_duration, listed, plural

DAY_S = 86400.0
PATIENCE_S = 60.0  # that jobs may wait without a worker: a group that is started again takes its time
MOST_NAMED = 3  # queues or tables in one line


class Level(IntEnum):
    """How bad it is; the value is the exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What may be, in numbers of things and in seconds; None: whatever. The fields are the keys of `[health]`."""

    max_depth: int | None = None
    warn_depth: int | None = None
    max_wait: float | None = None
    warn_wait: float | None = None
    max_failed: int | None = None
    warn_failed: int | None = None
    max_missed: int | None = None
    warn_missed: int | None = None
    min_workers: int | None = None
    warn_workers: int | None = None
    min_schedulers: int | None = None
    since: float | None = None  # for which missed ticks count

    @property
    def since_s(self) -> float:
        return DAY_S if self.since is None else self.since

    def over(self, others: Thresholds) -> Thresholds:
        """Return these, and where they say nothing, the others."""
        return Thresholds(
            **{
                each.name: getattr(others, each.name) if (own := getattr(self, each.name)) is None else own
                for each in fields(self)
            }
        )


def strictest(every: Iterable[Thresholds]) -> Thresholds:
    """Return of each threshold the one that most is asked by, as where several tables have some."""
    listed = list(every)

    def choose(name: str) -> float | None:
        given = [value for each in listed if (value := getattr(each, name)) is not None]
        is_least = name in {"min_workers", "warn_workers", "min_schedulers", "since"}
        return (max if is_least else min)(given, default=None)

    return Thresholds(**{each.name: choose(each.name) for each in fields(Thresholds)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVitals:
    """A table with entries that are to run: whether a scheduler serves it."""

    path: str
    is_served: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What health is judged by; of each living worker the queues, none for all."""

    measures: Measures
    workers: Sequence[Sequence[str]]
    tables: Sequence[TableVitals]
    lost: int  # jobs that run, as it stands in the file, by a worker that is dead

    def listening(self, queue: str) -> int:
        """Return how many workers serve a queue."""
        return sum(serves(queues, queue) for queues in self.workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """From when on a number is worth a warning, and from when on it is critical; None: never."""

    warning: float | None = None
    critical: float | None = None
    is_least: bool = False  # it must not be below them; else: not above

    def level(self, value: float) -> Level:
        if self._is_passed(value, self.critical):
            return Level.CRITICAL
        return Level.WARNING if self._is_passed(value, self.warning) else Level.OK

    def _is_passed(self, value: float, edge: float | None) -> bool:
        return edge is not None and (value < edge if self.is_least else value > edge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A number that can be drawn, of things or of seconds; `text` is for people, empty for what never alarms."""

    name: str
    value: float
    limit: Limit = Limit()
    text: str = ""
    is_time: bool = False

    def fact(self) -> Fact:
        """Return what there is to say, and what has been passed."""
        level = self.limit.level(self.value)
        edge = self.limit.critical if level is Level.CRITICAL else self.limit.warning
        if level is Level.OK or edge is None:
            return Fact(level=Level.OK, text=self.text)
        than = "fewer than" if self.limit.is_least else "more than"
        shown = format_duration(edge) if self.is_time else str(round(edge))
        return Fact(level=level, text=f"{self.text} ({than} {shown})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The verdict: facts, the worst ones first, and gauges."""

    level: Level
    facts: tuple[Fact, ...]
    gauges: tuple[Gauge, ...]
    paused: tuple[str, ...]


def judge(vitals: Vitals, thresholds: Thresholds, *, queue: str | None = None) -> Health:
    """Judge the whole job file, or one queue alone: its depth, its wait and its workers.

    Without thresholds it is critical that nobody would run jobs that wait, or ends what dead workers left
    behind, and that nobody schedules a table. A paused queue may let its jobs wait.
    """
    queues = [each for each in vitals.measures.queues if queue in {None, each.queue}]
    workers = len(vitals.workers) if queue is None else vitals.listening(queue)
    gauges = [*_of_queues(vitals, thresholds, queues), _of_workers(workers, thresholds)]
    facts = [*_unserved(vitals, queues, thresholds)]
    if queue is None:
        gauges += _of_the_file(vitals, thresholds)
        facts += _unscheduled(vitals, thresholds)
    facts += [gauge.fact() for gauge in gauges if gauge.text]
    paused = tuple(each.queue for each in queues if each.pause)
    if paused:
        names = listed([f"`{name}`" for name in paused], most=MOST_NAMED)
        facts.append(Fact(level=Level.OK, text=f"paused: {names}"))
    facts.sort(key=lambda fact: -fact.level)
    level = max(fact.level for fact in facts)
    return Health(level=level, facts=tuple(facts), gauges=tuple(gauges), paused=paused)


def _of_queues(vitals: Vitals, on: Thresholds, queues: Sequence[QueueMeasure]) -> Iterator[Gauge]:
    at = vitals.measures.at
    ready = sum(each.ready for each in queues)
    depth = Limit(warning=on.warn_depth, critical=on.max_depth)
    yield Gauge(name="ready", value=ready, limit=depth, text=f"{ready} ready")
    waits = {each.queue: each.oldest_wait(at) for each in queues if each.oldest_at and not each.pause}
    first = max(waits, key=lambda queue: waits[queue], default="")
    wait = waits.get(first, timedelta()).total_seconds()
    text = f"oldest {format_duration(wait)}{f' in `{first}`' if len(waits) > 1 else ''}" if waits else ""
    limit = Limit(warning=on.warn_wait, critical=on.max_wait)
    yield Gauge(name="oldest_wait", value=wait, limit=limit, text=text, is_time=True)
    running = sum(each.running for each in queues)
    yield Gauge(name="running", value=running, text=f"{running} running" if running else "")


def _of_workers(number: int, on: Thresholds) -> Gauge:
    limit = Limit(warning=on.warn_workers, critical=on.min_workers, is_least=True)
    return Gauge(name="workers", value=number, limit=limit, text=plural(number, "worker"))


def _of_the_file(vitals: Vitals, on: Thresholds) -> Iterator[Gauge]:
    found = vitals.measures
    troubled = found.failed + found.crashed
    limit = Limit(warning=on.warn_failed, critical=on.max_failed)
    text = f"{troubled} failed or crashed" if troubled else ""
    yield Gauge(name="failed", value=troubled, limit=limit, text=text)
    limit = Limit(warning=on.warn_missed, critical=on.max_missed)
    since = format_duration((found.at - found.since).total_seconds())
    text = f"{plural(found.missed, 'tick')} missed in {since}" if found.missed else ""
    yield Gauge(name="missed", value=found.missed, limit=limit, text=text)
    served = sum(table.is_served for table in vitals.tables)
    limit = Limit(critical=on.min_schedulers, is_least=True)
    text = plural(served, "scheduler") if served or on.min_schedulers else ""
    yield Gauge(name="schedulers", value=served, limit=limit, text=text)
    yield Gauge(name="scheduled", value=found.scheduled)


def _unserved(vitals: Vitals, queues: Sequence[QueueMeasure], on: Thresholds) -> Iterator[Fact]:
    """Say where jobs wait that nobody would run, and whether some were left behind by dead workers."""
    if on.min_workers == 0:
        return
    at = vitals.measures.at
    waits = {
        each.queue: wait
        for each in queues
        if not (each.pause or vitals.listening(each.queue))
        and (wait := each.oldest_wait(at).total_seconds()) >= PATIENCE_S
    }
    if waits:
        names = listed([f"`{name}`" for name in waits], most=MOST_NAMED)
        count = sum(each.ready for each in queues if each.queue in waits)
        told = f"{plural(count, 'job')} waiting, the oldest for {format_duration(max(waits.values()))}"
        yield Fact(level=Level.CRITICAL, text=f"no worker for {names}: {told}")
    if vitals.lost and not vitals.workers:
        yield Fact(level=Level.CRITICAL, text=f"{plural(vitals.lost, 'job')} left behind by dead workers")


def _unscheduled(vitals: Vitals, on: Thresholds) -> Iterator[Fact]:
    idle = [f"`{table.path}`" for table in vitals.tables if not table.is_served]
    if idle and on.min_schedulers != 0:
        yield Fact(level=Level.CRITICAL, text=f"no scheduler for {listed(idle, most=MOST_NAMED)}")
