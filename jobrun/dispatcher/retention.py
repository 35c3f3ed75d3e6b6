"""How long ended jobs and decided ticks are kept: what went well is forgotten, what failed stays."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from jobrun.model import State
from jobrun.store import Store

TICKS_KEPT = timedelta(days=30)
EVERY_S = 60.0
FIRST, MOST = 2, 20  # jobs, after which the clock is looked at: their output goes too, and that may be much
ROUND_S = 0.005  # as long as no job that waits meanwhile is late
REST = 4  # times as long as the last round took, so that a fifth of the time keeps pace with any load

_FORGOTTEN = (State.SUCCEEDED, State.CANCELLED, State.EXPIRED, State.SKIPPED)


class Retention:
    """The rounds in which the old is removed, a batch at a time."""

    def __init__(self, store: Store, keep_s: float | None) -> None:
        """`keep_s`, seconds, is how long an ended job is kept; None: until a person purges it."""
        self._store = store
        self._kept = None if keep_s is None else timedelta(seconds=keep_s)
        self._next_at = 0.0

    def do_round(self, *, now: datetime, monotonic: float) -> None:
        """Remove batches if it is time, for about `ROUND_S`; where there is more, go on after a rest."""
        if monotonic < self._next_at:
            return
        with self._store.group():  # one commit
            begin, size = time.monotonic(), FIRST
            while (is_more := self._remove(size, now)) and time.monotonic() - begin < ROUND_S:
                size = min(2 * size, MOST)
        self._next_at = monotonic + (REST * (time.monotonic() - begin) if is_more else EVERY_S)

    def _remove(self, limit: int, now: datetime) -> bool:
        """Remove as many; say whether there may be more."""
        is_more = self._store.ticks.forget_before(now - TICKS_KEPT, limit=limit) == limit
        if self._kept is not None:
            ids = self._store.ledger.ended_before(now - self._kept, _FORGOTTEN, limit=limit)
            is_more |= len(ids) == limit
            if ids:
                self._store.orders.purge(ids)
        return is_more
