"""How long ended jobs and decided ticks are kept: what went well is forgotten, what failed stays."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobrun.model import State
from jobrun.store import Store

TICKS_KEPT = timedelta(days=30)
EVERY_S = 60.0
BATCH = 100  # jobs: their output goes too, and the write lock is held meanwhile

_FORGOTTEN = (State.SUCCEEDED, State.CANCELLED, State.EXPIRED, State.SKIPPED)


class Retention:
    """The rounds in which the old is removed, a batch at a time."""

    def __init__(self, store: Store, keep_s: float | None) -> None:
        """`keep_s`, seconds, is how long an ended job is kept; None: until a person purges it."""
        self._store = store
        self._kept = None if keep_s is None else timedelta(seconds=keep_s)
        self._next_at = 0.0

    def do_round(self, *, now: datetime, monotonic: float) -> None:
        """Remove a batch if it is time; the next one follows at once where there was more."""
        if monotonic < self._next_at:
            return
        is_more = self._store.ticks.forget_before(now - TICKS_KEPT, limit=BATCH) == BATCH
        if self._kept is not None:
            ids = self._store.ledger.ended_before(now - self._kept, _FORGOTTEN, limit=BATCH)
            is_more |= len(ids) == BATCH
            if ids:
                self._store.orders.purge(ids)
        if not is_more:
            self._next_at = monotonic + EVERY_S
