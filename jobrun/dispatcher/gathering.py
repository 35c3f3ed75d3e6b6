"""Many ends in one commit: they are gathered for a moment, while nobody waits for that."""

from __future__ import annotations

import math
from collections.abc import Iterable

from jobrun.dispatcher.books import News
from jobrun.dispatcher.pace import Pace
from jobrun.dispatcher.seat import Seat

GATHER_S = 0.002  # between commits of nothing but ends
FED_S = 0.006  # a worker that holds jobs for this long will not wait meanwhile


class Gathering:
    """Says whether the commit of a round is better put off. Times are monotonic seconds."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._next_at = -math.inf
        self.until: float | None = None

    def goes_on(self, news: News, seats: Iterable[Seat], *, is_wanted: bool, monotonic: float) -> bool:
        """Say whether to wait for more ends; anything else that is new ends it.

        `is_wanted` tells that there may be jobs for a worker that has none left.
        """
        self.until = None
        if (
            news.is_nothing_but_ends
            and monotonic < self._next_at
            and (not is_wanted or all(self._is_fed(seat, news) for seat in seats))
        ):
            self.until = self._next_at
        return self.until is not None

    def end(self, *, monotonic: float) -> None:
        """Note that nothing but ends was committed: those to come are worth a wait."""
        self._next_at = monotonic + GATHER_S

    def _is_fed(self, seat: Seat, news: News) -> bool:
        left = (job for token, job in seat.jobs.items() if token not in news.ended)
        return sum(self._pace.expected_s((job.kind, job.task)) for job in left) >= FED_S
