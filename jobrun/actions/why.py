"""Why a job is as it is, and why an entry ran or did not: the facts, for the rules in `reasons`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from jobrun.actions import looking
from jobrun.actions.entries import entry_of
from jobrun.actions.looking import WorkerView
from jobrun.actions.reasons.ended import of_ended
from jobrun.actions.reasons.running import of_running
from jobrun.actions.reasons.waiting import of_waiting
from jobrun.actions.reasons.words import JobFacts, Reason
from jobrun.actions.tables import TableView, table
from jobrun.cron.words import EntryRow, Tick
from jobrun.measures import Pause
from jobrun.model import Job, Kind, State
from jobrun.store import Store

NEAR = timedelta(minutes=1)  # a tick so near is the one that was meant


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryStory:
    """An entry, who serves its table, and what became of its ticks, the newest first."""

    row: EntryRow
    table: TableView
    ticks: tuple[Tick, ...]
    jobs: Mapping[int, Job]  # that the ticks became or that were in their way, as far as they are kept


def of_job(store: Store, job_id: int, *, now: datetime, zone: tzinfo) -> JobFacts:
    """Return the facts about a job. Raises `NoSuchJob`."""
    with store.reading():
        job = looking.get(store, job_id)
        workers = () if job.state.is_final else looking.workers(store)
        pauses = store.pauses.all(now=now)
        facts = JobFacts(
            job=job,
            now=now,
            zone=zone,
            workers=workers,
            pause=next((each for each in pauses if each.queue == job.queue), None),
            attempt=store.standing.last_attempt(job_id) if job.attempt else None,
            tick=looking.tick_of(store, job),
            key_holder=store.standing.key_holder(job.key) if job.key and job.state.is_final else None,
            path=_path(store, job),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )
        return _with_ahead(store, facts, pauses)


def reasons(facts: JobFacts) -> list[Reason]:
    """Return why a job is as it is; there is always a reason."""
    if facts.job.state is State.RUNNING:
        return of_running(facts)
    return of_ended(facts) if facts.job.state.is_final else of_waiting(facts)


def of_entry(store: Store, name: str, *, at: datetime | None, limit: int) -> EntryStory:
    """Return the facts about an entry, with `at` about the tick at that instant alone.

    Raises `NotDone` when the job file does not know it; one that was removed is known.
    """
    row = entry_of(store, name)
    ticks = store.ticks.of(name, at=at, limit=limit)
    if at is not None:
        ticks = [tick for tick in ticks if tick.at - NEAR < at < tick.last + NEAR]
    ids = {job_id for tick in ticks for job_id in (tick.job_id, tick.in_way) if job_id is not None}
    found = {job_id: store.ledger.get(job_id) for job_id in ids}
    return EntryStory(
        row=row,
        table=table(store, row.table, [row]),
        ticks=tuple(ticks),
        jobs={job_id: job for job_id, job in found.items() if job is not None},
    )


def _with_ahead(store: Store, facts: JobFacts, pauses: list[Pause]) -> JobFacts:
    """Count what goes before a job that is ready, in the queues that its workers listen to."""
    if facts.job.state is not State.READY or not facts.takers:
        return facts
    ahead = store.standing.ahead(
        facts.job, queues=_queues(facts.takers), without=[each.queue for each in pauses]
    )
    return replace(facts, ahead=ahead)


def _queues(takers: list[WorkerView]) -> set[str]:
    """Return the queues that workers listen to; none for all."""
    if any(not each.row.queues for each in takers):
        return set()
    return {queue for each in takers for queue in each.row.queues}


def _path(store: Store, job: Job) -> str | None:
    """Return the PATH of a command that has an environment of its own."""
    if job.kind is Kind.CALL or job.environment is None:
        return None
    return store.ledger.environment(job.environment).get("PATH")
