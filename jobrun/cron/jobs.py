"""The job that a tick of an entry becomes, and when it may begin."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from jobrun.cron.words import Entry
from jobrun.model import NewJob
from jobrun.units import to_ms

CATCHUP_SPREAD_S = 60.0  # or all that was missed would begin at the moment a scheduler starts


def job_of(entry: Entry, *, at: datetime | None, run_at: datetime | None, is_catchup: bool = False) -> NewJob:
    """Return the job of a tick; `at` None: a person's order, not a tick."""
    return NewJob(
        kind=entry.kind,
        task=entry.task,
        args=entry.args,
        kwargs=entry.kwargs,
        queue=entry.queue,
        priority=entry.priority,
        run_at=run_at,
        retries=entry.retries,
        backoff_s=entry.backoff_s,
        max_backoff_s=entry.max_backoff_s,
        timeout_s=entry.timeout_s,
        deadline_s=entry.deadline_s,
        tags=entry.tags,
        name=entry.name,
        on_crash=entry.on_crash,
        surroundings=entry.surroundings,
        entry=entry.name,
        scheduled_for=at,
        terms=replace(entry.terms, is_catchup=True) if is_catchup else entry.terms,
    )


def delay(entry: Entry, at: datetime, *, interval_s: float) -> timedelta:
    """Return the jitter of a tick: the same for a tick whenever it is asked, another for the next.

    At most half the interval to the next tick, so that no tick overtakes its successor.
    """
    most_s = min(entry.jitter_s, interval_s / 2)
    return timedelta(milliseconds=round(most_s * 1000 * _share(entry.seed, entry.name, to_ms(at))))


def catchup_delay(entry: Entry, *, window_s: float, interval_s: float) -> timedelta:
    """Return how long what is made up waits, so that a host that wakes up is not flooded.

    At most a quarter of the interval to the next tick, which should not find it in its way.
    """
    most_s = min(CATCHUP_SPREAD_S, window_s / 4, interval_s / 4)
    return timedelta(milliseconds=round(most_s * 1000 * _share(entry.seed, entry.name, "catch-up")))


def _share(*parts: object) -> float:
    """Return a number in [0, 1) that depends on the parts alone (systemd.timer(5), FixedRandomDelay=)."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
