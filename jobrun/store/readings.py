"""What the conditions of alerts are about, measured: short reads, however much is in the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from jobrun import locks
from jobrun.alerts.wording import share_in_words
from jobrun.alerts.words import Condition, Quantity, Reading
from jobrun.measures import Measures, QueueMeasure
from jobrun.model import Job, Kind
from jobrun.paths import side_dir
from jobrun.queues import serves
from jobrun.store.database import Database
from jobrun.store.endings import Endings
from jobrun.store.measuring import Measuring
from jobrun.store.usual import UsualTimes
from jobrun.store.workers import Workers
from jobrun.units import format_duration, plural, to_ms

LOOKED_AT = 5000  # of the runs that ended last, for a failure rate: on a busy file, those of a shorter time
ENOUGH = 3  # runs that ended well, of which one knows what is usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where readings come from."""

    path: Path
    measuring: Measuring
    workers: Workers
    endings: Endings
    usual: UsualTimes


class Readings:
    """What is measured for alerts."""

    def __init__(self, database: Database, sources: Sources) -> None:
        self._db = database
        self._from = sources

    def of(self, conditions: Iterable[Condition], *, now: datetime) -> list[Reading]:
        """Measure what each condition is about, all in one state of the file."""
        with self._db.reading():
            look = _Look(self._db, self._from, now)
            return [look.read(condition) for condition in conditions]

    def listeners(self, queue: str | None) -> int:
        """Return how many living workers would take a job of a queue; None: of any."""
        rows = [row for row in self._from.workers.all() if row.stopping_at is None]
        hearing = [row for row in rows if serves(row.queues, queue)]
        return sum(locks.is_held(side_dir(self._from.path) / "locks" / row.name) for row in hearing)


class _Look:
    """One look at everything: what several conditions need is measured once."""

    def __init__(self, database: Database, sources: Sources, now: datetime) -> None:
        self._db = database
        self._from = sources
        self._now = now
        self._known: Measures | None = None

    def read(self, condition: Condition) -> Reading:
        match condition.quantity:
            case Quantity.DEPTH:
                ready = sum(each.ready for each in self._queues(condition.queue))
                return Reading(value=ready, text=f"{ready} ready{_within(condition)}")
            case Quantity.WAIT:
                return self._wait(condition)
            case Quantity.FAILURE_RATE:
                return self._failure_rate(condition)
            case Quantity.NO_WORKER:
                return self._no_worker(condition)
            case Quantity.MISSED:
                count = self._from.measuring.missed(self._since(condition))
                span = format_duration(condition.over_s)
                return Reading(value=count, text=f"{plural(count, 'tick')} missed in {span}")
            case Quantity.SLOW:
                return self._slow(condition)

    def _since(self, condition: Condition) -> datetime:
        return self._now - timedelta(seconds=condition.over_s)

    def _queues(self, queue: str | None) -> list[QueueMeasure]:
        if self._known is None:
            self._known = self._from.measuring.measures(since=self._now, now=self._now)
        return [each for each in self._known.queues if queue in (None, each.queue)]

    def _wait(self, condition: Condition) -> Reading:
        waits = [each.oldest_wait(self._now) for each in self._queues(condition.queue) if each.pause is None]
        longest_s = max(waits, default=timedelta()).total_seconds()
        shown_s = round(longest_s) or longest_s
        text = f"longest wait {format_duration(shown_s)}" if longest_s else "nothing waits"
        return Reading(value=longest_s, text=f"{text}{_within(condition)}")

    def _no_worker(self, condition: Condition) -> Reading:
        count = Readings(self._db, self._from).listeners(condition.queue)
        text = plural(count, "worker") if count else "no worker"
        whom = f" for {condition.queue}" if condition.queue else ""
        return Reading(value=float(count == 0), text=f"{text}{whom}")

    def _failure_rate(self, condition: Condition) -> Reading:
        since_ms = to_ms(self._since(condition))
        if condition.entry is not None:
            rows = self._db.rows(
                _RUNS_OF_ENTRY, {"entry": condition.entry, "since": since_ms, "limit": LOOKED_AT}
            )
            ended = [row["state"] for row in rows]
        else:
            ended = self._ended(condition.task, since_ms)
        failed = sum(state != "succeeded" for state in ended)
        whose = f" of {condition.entry or condition.task}" if condition.entry or condition.task else ""
        runs = f"{plural(len(ended), 'run')}{whose}"
        if len(ended) < condition.runs:
            return Reading(value=None, text=f"{runs}, too few for a rate")
        rate = failed / len(ended)
        return Reading(value=rate, text=f"{share_in_words(rate)} of {runs} failed")

    def _ended(self, task: str | None, since_ms: int) -> list[str]:
        """Return how runs ended since then, as far back as all states can be looked through."""
        rows = [
            self._db.rows(_ENDED, {"state": state, "since": since_ms, "limit": LOOKED_AT})
            for state in ("succeeded", "failed", "crashed")
        ]
        begin = max([since_ms, *(each[-1]["finished_at"] for each in rows if len(each) == LOOKED_AT)])
        return [
            row["state"]
            for each in rows
            for row in each
            if row["finished_at"] >= begin and task in (None, row["task"])
        ]

    def _slow(self, condition: Condition) -> Reading:
        running = [job for job in self._from.endings.running() if _is_meant(job, condition)]
        found = [each for each in map(partial(self._slowness, condition), running) if each is not None]
        slowest = max(found, key=lambda each: each.value or 0.0, default=None)
        return slowest or Reading(value=None, text="nothing takes long")

    def _slowness(self, condition: Condition, job: Job) -> Reading | None:
        """Return how many times its usual time a job has run; None while that says nothing."""
        if job.started_at is None:
            return None
        ran_s = (self._now - job.started_at).total_seconds()
        if ran_s < condition.at_least_s:
            return None
        usual = self._from.usual.of(job, now=self._now)
        if usual is None or usual.count < ENOUGH:
            return None
        took, most = format_duration(ran_s), format_duration(usual.median_s)
        return Reading(
            value=ran_s / max(usual.median_s, 0.001),
            text=f"job {job.id} ({_named(job)}) runs for {took}, usually {most}",
        )


def _named(job: Job) -> str:
    """Return what a job is called to others; a line for a shell may hold what is secret."""
    return job.entry or job.name or (job.task[:64] if job.kind is Kind.CALL else job.kind)


def _is_meant(job: Job, condition: Condition) -> bool:
    if condition.entry is not None:
        return job.entry == condition.entry
    return condition.task in (None, job.task)


def _within(condition: Condition) -> str:
    return f" in {condition.queue}" if condition.queue else ""


_RUNS_OF_ENTRY = """
    SELECT jobs.state
      FROM (SELECT job_id FROM ticks WHERE entry = :entry ORDER BY at DESC LIMIT :limit) AS last
      JOIN jobs ON jobs.id = last.job_id
     WHERE jobs.state IN ('succeeded', 'failed', 'crashed') AND jobs.finished_at >= :since
"""
_ENDED = """
    SELECT state, finished_at, task
      FROM jobs INDEXED BY jobs_finished
     WHERE state = :state AND finished_at IS NOT NULL AND finished_at >= :since
     ORDER BY finished_at DESC
     LIMIT :limit
"""
