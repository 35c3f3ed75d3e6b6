"""Claiming as a dispatcher does whose workers take one job each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from jobrun.model import Job
from jobrun.store import Store


def claim(
    store: Store, *workers: str, now: datetime, new_token: Callable[[], str], queues: Sequence[str] = ()
) -> list[Job]:
    """Let each of `workers` take the most urgent job that is left."""
    free = iter(workers)
    return store.queue.claim(
        lambda _task: next(free, None), limit=len(workers), queues=queues, now=now, new_token=new_token
    )
