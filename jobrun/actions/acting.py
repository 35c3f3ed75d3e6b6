"""Acting: queue jobs again, cancel them, remove them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobrun.actions.looking import get
from jobrun.errors import NotDone
from jobrun.model import Job, JobFilter, State
from jobrun.store import Store

BATCH = 500  # jobs that one transaction changes, so that nobody waits long behind it

DISPOSABLE = frozenset({State.SUCCEEDED, State.CANCELLED, State.EXPIRED, State.SKIPPED})
FINAL = frozenset(state for state in State if state.is_final)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How many jobs were changed, which if they were named, and those that could not be, as they are."""

    count: int
    ids: tuple[int, ...] = ()
    refused: tuple[Job, ...] = ()


def retry(store: Store, ids: Sequence[int], *, now: datetime) -> Changed:
    """Queue jobs again that failed, crashed, were cancelled or expired; their retries count afresh.

    Raises `NoSuchJob` before anything is changed, and `NotDone` if another job has the key of one.
    """
    jobs = [get(store, job_id) for job_id in dict.fromkeys(ids)]
    done = tuple(store.orders.retry([job.id for job in jobs], now=now))
    return Changed(count=len(done), ids=done, refused=tuple(job for job in jobs if job.id not in done))


def cancel(store: Store, ids: Sequence[int], *, now: datetime) -> Changed:
    """End jobs: one that waits at once, one that runs as soon as its worker has stopped it.

    Raises `NoSuchJob` before anything is changed.
    """
    jobs = [get(store, job_id) for job_id in dict.fromkeys(ids)]
    after = {job.id: store.orders.cancel(job.id, now=now) or job for job in jobs if not job.state.is_final}
    done = tuple(job.id for job in after.values() if job.state in {State.CANCELLED, State.RUNNING})
    return Changed(
        count=len(done),
        ids=done,
        refused=tuple(after.get(job.id, job) for job in jobs if job.id not in done),
    )


def retry_all(store: Store, which: JobFilter, *, now: datetime, tell: Callable[[int], None]) -> Changed:
    """Queue all jobs again that match, in batches; `tell` hears the size of each.

    A job whose key another one has taken meanwhile is refused and stops nothing.
    """
    count, refused = 0, list[Job]()
    for batch in _batches(store, which):
        done, held_up = _retry_batch(store, batch, now=now)
        count += done
        refused += held_up
        tell(len(batch))
    return Changed(count=count, refused=tuple(refused))


def purge_all(store: Store, which: JobFilter, *, tell: Callable[[int], None]) -> int:
    """Remove all ended jobs that match, with their attempts, in batches; return how many."""
    count = 0
    for batch in _batches(store, which):
        count += store.orders.purge([job.id for job in batch])
        tell(len(batch))
    return count


def _batches(store: Store, which: JobFilter) -> Iterator[list[Job]]:
    last = 0
    while jobs := store.ledger.select(which, limit=BATCH, newest_first=False, after_id=last):
        last = jobs[-1].id
        yield jobs


def _retry_batch(store: Store, batch: Sequence[Job], *, now: datetime) -> tuple[int, list[Job]]:
    try:
        return len(store.orders.retry([job.id for job in batch], now=now)), []
    except NotDone:
        if len(batch) == 1:
            return 0, list(batch)
    parts = [_retry_batch(store, [job], now=now) for job in batch]
    return sum(count for count, _ in parts), [job for _, refused in parts for job in refused]
