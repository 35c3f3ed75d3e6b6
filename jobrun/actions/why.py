"""Why a job is as it is, and why an entry ran or did not: the facts, for `cli` to put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobrun.actions import looking
from jobrun.actions.entries import entry_of
from jobrun.actions.looking import WorkerView
from jobrun.actions.tables import TableView, table
from jobrun.cron.words import EntryRow, Tick
from jobrun.model import Job
from jobrun.store import Store

NEAR = timedelta(minutes=1)  # a tick so near is the one that was meant


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStory:
    """A job, the tick that it came from, and who could run it."""

    job: Job
    tick: Tick | None
    workers: tuple[WorkerView, ...]  # those that live

    @property
    def takers(self) -> list[WorkerView]:
        """Return the workers that listen to its queue."""
        return [each for each in self.workers if not each.row.queues or self.job.queue in each.row.queues]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryStory:
    """An entry, who serves its table, and what became of its ticks, the newest first."""

    row: EntryRow
    table: TableView
    ticks: tuple[Tick, ...]
    jobs: Mapping[int, Job]  # that the ticks became, as far as they are kept


def of_job(store: Store, job_id: int) -> JobStory:
    """Return the facts about a job. Raises `NoSuchJob`."""
    job = looking.get(store, job_id)
    alive = tuple(worker for worker in looking.workers(store) if worker.is_alive)
    return JobStory(job=job, tick=looking.tick_of(store, job), workers=alive)


def of_entry(store: Store, name: str, *, at: datetime | None, limit: int) -> EntryStory:
    """Return the facts about an entry, with `at` about the tick at that instant alone.

    Raises `NotDone` when the job file does not know it; one that was removed is known.
    """
    row = entry_of(store, name)
    ticks = store.ticks.of(name, at=at, limit=limit)
    if at is not None:
        ticks = [tick for tick in ticks if tick.at - NEAR < at < tick.last + NEAR]
    found = {tick.job_id: store.ledger.get(tick.job_id) for tick in ticks if tick.job_id is not None}
    return EntryStory(
        row=row,
        table=table(store, row.table, [row]),
        ticks=tuple(ticks),
        jobs={job_id: job for job_id, job in found.items() if job is not None},
    )
