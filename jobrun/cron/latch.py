"""When somebody is told of an entry's luck: once when it turns bad, and once when it is good again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from jobrun.cron.words import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """Since when an entry fails, how many runs in a row, and when it last succeeded."""

    failing_since: datetime | None = None
    failed_runs: int = 0
    last_success_at: datetime | None = None


def turned(latch: Latch, *, is_success: bool, now: datetime) -> tuple[Latch, Turn | None]:
    """Return the latch after the final end of a run, and the turn if this end is one.

    >>> from datetime import UTC
    >>> latch, now = Latch(), datetime(2027, 1, 1, tzinfo=UTC)
    >>> for is_success in (True, False, False, True):
    ...     latch, turn = turned(latch, is_success=is_success, now=now)
    ...     print(latch.failed_runs, turn)
    0 None
    1 failed
    2 None
    0 recovered
    >>> latch.last_success_at == now
    True
    """
    if is_success:
        turn = None if latch.failing_since is None else Turn.RECOVERED
        return Latch(last_success_at=now), turn
    failed_runs = latch.failed_runs + 1
    if latch.failing_since is None:
        return replace(latch, failing_since=now, failed_runs=failed_runs), Turn.FAILED
    return replace(latch, failed_runs=failed_runs), None
