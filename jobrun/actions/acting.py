"""Acting: queue jobs again, cancel them, remove them."""

from __future__ import annotations

import contextlib
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jobrun.actions.looking import get
from jobrun.errors import Busy, NoRoom, NotDone
from jobrun.model import Job, JobFilter, State
from jobrun.store import Store
from jobrun.store.aging import Size

BATCH = 200  # jobs that one transaction changes, so that nobody waits long behind it
PIECE = 2  # of them, after which the clock is looked at, for some have printed much
LARGEST = 20  # piece: each is twice the one before, and so takes no longer than all before it
HELD_S = 0.005  # others wait behind a batch, and besides for its last piece and the disk
EMPTIED_AFTER = 40  # batches: some megabytes of WAL
REST_S = 0.004  # between transactions: a program that must not wait in the kernel tries every 3 ms
WEIGHED = 20_000  # jobs whose bytes are counted before a purge
LOOKED_UP = 50_000  # ids at once: what is rare is looked up in an index, which is read to its end each time

DISPOSABLE = frozenset({State.SUCCEEDED, State.CANCELLED, State.EXPIRED, State.SKIPPED})
FINAL = frozenset(state for state in State if state.is_final)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A job to which something could not be done, as it is, and why: `job 5 is running`."""

    job: Job
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What some jobs hold: rows, and bytes of the columns of those rows."""

    jobs: int
    attempts: int
    size: int
    is_reckoned: bool  # from the first `WEIGHED` of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How many jobs were changed, which if they were named, and those that were not."""

    count: int
    ids: tuple[int, ...] = ()
    refused: tuple[Refusal, ...] = ()


def retry(store: Store, ids: Sequence[int], *, now: datetime) -> Changed:
    """Queue jobs again that failed, crashed, were cancelled or expired; their retries count afresh.

    One whose key another job has taken meanwhile is refused. Raises `NoSuchJob` before anything is changed.
    """
    with store.group():
        return _retry(store, [get(store, job_id) for job_id in dict.fromkeys(ids)], now=now)


def cancel(store: Store, ids: Sequence[int], *, now: datetime) -> Changed:
    """End jobs: one that waits at once, one that runs as soon as its worker has stopped it.

    Raises `NoSuchJob` before anything is changed.
    """
    with store.group():
        jobs = [get(store, job_id) for job_id in dict.fromkeys(ids)]
        after = {
            job.id: store.orders.cancel(job.id, now=now) or job for job in jobs if not job.state.is_final
        }
    done = tuple(job.id for job in after.values() if job.state in {State.CANCELLED, State.RUNNING})
    refused = tuple(refusal(after.get(job.id, job)) for job in jobs if job.id not in done)
    return Changed(count=len(done), ids=done, refused=refused)


def refusal(job: Job) -> Refusal:
    """Refuse a job for the state that it is in."""
    return Refusal(job=job, why=f"job {job.id} is {job.state}")


def retry_all(store: Store, which: JobFilter, *, now: datetime, tell: Callable[[int], None]) -> Changed:
    """Queue all jobs again that match, in batches; `tell` hears the size of each."""
    count, refused = 0, list[Refusal]()
    for ids in _batches(store, which):
        with store.group():
            still = replace(which, ids=ids)  # one may have been retried and cancelled since it was looked up
            changed = _retry(store, store.ledger.select(still, limit=BATCH, newest_first=False), now=now)
        count += changed.count
        refused += changed.refused
        tell(len(ids))
    return Changed(count=count, refused=tuple(refused))


def purge_all(store: Store, which: JobFilter, *, tell: Callable[[int], None]) -> int:
    """Remove all ended jobs that match, with their attempts, in batches; return how many."""
    count, last, wal = 0, 0, _Wal(store)
    while ids := store.ledger.ids(which, limit=LOOKED_UP, newest_first=False, after_id=last):
        last, done = ids[-1], 0
        while done < len(ids):
            reached, removed = _purge_some(store, ids[done : done + BATCH], which)
            before, done = done, bisect_right(ids, reached)
            count += removed
            tell(done - before)
            wal.grew()
            time.sleep(REST_S)
    return count


def sizes(store: Store, ids: Sequence[int]) -> dict[int, Size]:
    """Return what each of some jobs holds."""
    found: dict[int, Size] = {}
    for first in range(0, len(ids), BATCH):
        found |= store.aging.sizes(ids[first : first + BATCH])
    return found


def weigh(store: Store, which: JobFilter) -> Weight:
    """Return what a purge would remove; of very many jobs the bytes are reckoned from the first ones."""
    count = store.ledger.count(which)
    ids = store.ledger.ids(which, limit=WEIGHED, newest_first=False)
    found = sizes(store, ids).values()
    attempts, size = sum(each.attempts for each in found), sum(each.size for each in found)
    if count > len(ids) > 0:
        attempts, size = attempts * count // len(ids), size * count // len(ids)
    return Weight(jobs=count, attempts=attempts, size=size, is_reckoned=count > len(ids))


def _purge_some(store: Store, ids: Sequence[int], which: JobFilter) -> tuple[int, int]:
    """Remove the first of some jobs in one commit; return up to which id, and how many there were."""
    with store.group():
        end, removed = time.monotonic() + HELD_S, 0
        still = replace(which, ids=tuple(ids))  # one may have been retried since it was looked up
        found = store.ledger.ids(still, limit=BATCH, newest_first=False)
        size = PIECE
        while piece := found[:size]:
            removed += store.orders.purge(piece)
            if time.monotonic() > end:
                return piece[-1], removed
            found, size = found[size:], min(2 * size, LARGEST)
        return ids[-1], removed


class _Wal:
    """The WAL of a purge, emptied on the way: there may be no housekeeper, or one that sleeps."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._every = self._left = EMPTIED_AFTER

    def grew(self) -> None:
        """Note a batch, and empty the WAL if it is time; while somebody reads, try less and less often."""
        self._left -= 1
        if self._left:
            return
        is_empty = False
        with contextlib.suppress(Busy, NoRoom):  # what was purged is purged
            is_empty = self._store.checkpoint()
        self._every = self._left = EMPTIED_AFTER if is_empty else 2 * self._every


def _batches(store: Store, which: JobFilter) -> Iterator[tuple[int, ...]]:
    last = 0
    while ids := store.ledger.ids(which, limit=BATCH, newest_first=False, after_id=last):
        last = ids[-1]
        yield tuple(ids)


def _retry(store: Store, jobs: Sequence[Job], *, now: datetime) -> Changed:
    """Queue jobs again, in the commit that looked at them; those with a key one by one, for another may have it."""
    done, refused = list[int](), list[Refusal]()
    done += store.orders.retry([job.id for job in jobs if job.key is None], now=now)
    for job in jobs:
        if job.key is not None:
            try:
                done += store.orders.retry([job.id], now=now)
            except NotDone as error:
                refused.append(Refusal(job=job, why=error.message))
    known = {*done, *(each.job.id for each in refused)}
    refused += [refusal(job) for job in jobs if job.id not in known]
    return Changed(count=len(done), ids=tuple(sorted(done)), refused=tuple(refused))
