"""Looking: lists of jobs, one job with all its attempts, the whole file at a glance, its workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from jobrun import locks
from jobrun.actions.tables import TableView, tables
from jobrun.alerts.words import AlertRow
from jobrun.cron.words import Tick
from jobrun.errors import NoSuchJob
from jobrun.measures import Pause
from jobrun.model import TROUBLED, Attempt, Edit, Job, JobFilter, State, WorkerRow
from jobrun.paths import side_dir
from jobrun.queues import serves
from jobrun.store import Store

GLANCE = 10  # jobs of a kind that an overview shows
COUNTED = 10_000  # jobs that match; a file may hold millions more, and nobody waits for their number


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The newest of the jobs that match, and how many match in all; beyond `COUNTED` it is one more."""

    jobs: tuple[Job, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Everything about a job; `environment` is None for one that has its worker's."""

    job: Job
    tick: Tick | None  # that it came from
    attempts: tuple[Attempt, ...]
    edits: tuple[Edit, ...]
    environment: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A worker as it is now: alive by its lock; the age of its beat decides nothing."""

    row: WorkerRow
    is_alive: bool
    beat_at: datetime | None  # None when its lock file is gone
    job: Job | None

    @property
    def serves_queues(self) -> bool:
        """Say whether it takes jobs as they come, and not just the one that a person runs before their eyes."""
        return serves(self.row.queues)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    counts: Mapping[State, int]
    workers: tuple[WorkerView, ...]
    running: tuple[Job, ...]
    ready: tuple[Job, ...]  # the longest there
    next_due: datetime | None  # of what is due later
    troubled: tuple[Job, ...]  # the last that failed or crashed
    tables: tuple[TableView, ...]
    pauses: tuple[Pause, ...]
    firing: tuple[AlertRow, ...]

    @property
    def living(self) -> int:
        return sum(worker.is_alive and worker.serves_queues for worker in self.workers)

    @property
    def dead(self) -> int:
        """Workers that died and whose jobs nobody has recovered yet."""
        return sum(not worker.is_alive for worker in self.workers)


def listing(store: Store, which: JobFilter, *, limit: int) -> Listing:
    """Return the newest jobs that match, at most `limit` of them."""
    # All at once: to count them besides would be to find them again.
    ids = store.ledger.ids(which, limit=max(COUNTED, limit) + 1)
    jobs = store.ledger.select(replace(which, ids=tuple(ids[:limit])), limit=limit)
    return Listing(jobs=tuple(jobs), total=len(ids))


def inspect(store: Store, job_id: int) -> Inspection:
    """Return everything that is known about a job; raises `NoSuchJob`."""
    with store.reading():  # or a job that is retried meanwhile would be shown as two
        job = get(store, job_id)
        return Inspection(
            job=job,
            tick=tick_of(store, job),
            attempts=tuple(store.ledger.attempts(job_id)),
            edits=tuple(store.edits.of(job_id)),
            environment=store.ledger.environment(job.environment) if job.environment else None,
        )


def get(store: Store, job_id: int) -> Job:
    """Return a job; raises `NoSuchJob`."""
    job = store.ledger.get(job_id)
    if job is None:
        raise NoSuchJob(job_id)
    return job


def tick_of(store: Store, job: Job) -> Tick | None:
    """Return the tick that a job came from, if it came from one that is still kept."""
    if job.entry is None or job.scheduled_for is None:
        return None
    ticks = store.ticks.of(job.entry, at=job.scheduled_for)
    return next((tick for tick in ticks if tick.job_id == job.id), None)


def workers(store: Store) -> tuple[WorkerView, ...]:
    """Return the workers that the file knows, group by group."""
    jobs = {job.worker: job for job in store.endings.running()}
    return tuple(worker_view(store.path, row, jobs.get(row.name)) for row in store.workers.all())


def left_behind(store: Store) -> list[Job]:
    """Return the jobs that run, as it stands in the file, by workers that are dead."""
    folder = side_dir(store.path) / "locks"
    running = store.endings.running()
    dead = {name for name in {job.worker for job in running} if name and not locks.is_held(folder / name)}
    still = {job.token for job in store.endings.running()} if dead else set()
    return [job for job in running if job.worker in dead and job.token in still]  # others have ended since


def overview(store: Store, *, now: datetime) -> Overview:
    """Return the file at a glance."""
    return Overview(
        counts=store.ledger.counts(),
        workers=workers(store),
        running=_running(store),
        ready=tuple(store.ledger.longest_ready(limit=GLANCE)),
        next_due=store.queue.next_due(),
        troubled=last_troubled(store),
        tables=tables(store),
        pauses=tuple(store.pauses.all(now=now)),
        firing=tuple(row for row in store.alerts.rows() if row.latch.told_at is not None),
    )


def worker_view(path: Path, row: WorkerRow, job: Job | None) -> WorkerView:
    """Return a worker of a job file as its lock shows it, with the job that it runs."""
    lock = side_dir(path) / "locks" / row.name
    try:
        beat_at = datetime.fromtimestamp(lock.stat(follow_symlinks=False).st_mtime, UTC)
    except FileNotFoundError:
        beat_at = None
    return WorkerView(row=row, is_alive=locks.is_held(lock), beat_at=beat_at, job=job)


def _running(store: Store) -> tuple[Job, ...]:
    which = JobFilter(states=frozenset({State.RUNNING}))
    return tuple(store.ledger.select(which, limit=GLANCE, newest_first=False))


def last_troubled(store: Store, *, limit: int = GLANCE) -> tuple[Job, ...]:
    """Return the jobs that failed or crashed last, the newest end first."""
    troubled = store.ledger.last_ended(TROUBLED, limit=limit)
    return tuple(sorted(troubled, key=lambda job: job.finished_at or job.created_at, reverse=True))
