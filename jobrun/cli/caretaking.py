"""What `exec` does for others on a host where no workers run: the dead are found, and the old is forgotten.

All of it is loaded only when there is something to do.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jobrun import locks
from jobrun.errors import JobrunError
from jobrun.model import Job, State
from jobrun.paths import side_dir
from jobrun.queues import is_reserved
from jobrun.steps import utc_now
from jobrun.store import Store

if TYPE_CHECKING:
    from jobrun.dispatcher.housekeeping import Housekeeping

EVERY_S = 3600.0
DEATH_S = 20.0  # for what a dead group left behind to end: its grace, and some rounds
NAP_S = 0.05
ROUNDS = 10  # of one look after everything: a round forgets a few hundred jobs


def free_key(store: Store, job_id: int) -> bool:
    """Settle the job that has our key if nobody runs it any more; True if it has ended."""
    job = store.ledger.get(job_id)
    if job is None or job.state.is_final:
        return True
    if job.state is State.RUNNING:
        return not _is_held(store, job.worker or "") and _is_settled(store, job)
    if not is_reserved(job.queue) or _is_served(store, job.queue):
        return False
    store.endings.keep_for(job.id, job.queue, expires_at=utc_now())
    store.queue.expire(now=utc_now())
    return True


def look_after(store: Store) -> None:
    """Do a housekeeper's work if nobody did it for an hour, and settle what has died meanwhile."""
    stamp = side_dir(store.path) / "housekeeper"
    is_due = _age_s(stamp) > EVERY_S
    if not is_due and all(_is_held(store, worker.name) for worker in store.workers.all()):
        return
    with contextlib.suppress(JobrunError, OSError):
        with _housekeeping(store) as keeper:
            for _ in range(ROUNDS if is_due else 1):
                keeper.do_round((), monotonic=time.monotonic())
                time.sleep(NAP_S if is_due else 0)
        os.utime(stamp)


def _is_settled(store: Store, job: Job) -> bool:
    """Wait until the attempt of a dead worker is proven to be over, by us or by a housekeeper who is there."""
    end = time.monotonic() + DEATH_S
    with _housekeeping(store) as keeper:
        while time.monotonic() < end:
            keeper.do_round((), monotonic=time.monotonic())
            found = store.ledger.get(job.id)
            if found is None or found.state is not State.RUNNING:
                return found is None or found.state.is_final
            time.sleep(NAP_S)
    return False


def _is_served(store: Store, queue: str) -> bool:
    """Say whether a living group serves a queue that it has for itself."""
    return any(queue in worker.queues and _is_held(store, worker.name) for worker in store.workers.all())


def _is_held(store: Store, worker: str) -> bool:
    return locks.is_held(side_dir(store.path) / "locks" / worker)


def _age_s(path: Path) -> float:
    try:
        return abs(time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return float("inf")


@contextlib.contextmanager
def _housekeeping(store: Store) -> Iterator[Housekeeping]:
    """Be a housekeeper who tells nobody: a line of a crontab is to be silent."""
    from jobrun.dispatcher.housekeeping import Housekeeping  # noqa: PLC0415 -- hardly ever needed
    from jobrun.dispatcher.settings import World  # noqa: PLC0415
    from jobrun.log import Log  # noqa: PLC0415

    with open(os.devnull, "wb") as nowhere, contextlib.ExitStack() as stack:
        keeper = Housekeeping(store, Log("exec", nowhere.fileno()), World(), keep_s=None)
        stack.callback(keeper.close)
        yield keeper
