"""The pulse of a job file: whether anything was committed since, and how many jobs have ended."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from jobrun.store.database import Database
from jobrun.units import to_ms

LOOKED_AT = 500  # ends of each state, the last ones


class Pulse:
    """What tells at little cost how much goes on."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def changes(self) -> int:
        """Return a number that is another one once somebody else has committed; it reads no page of the file."""
        [(version,)] = self._db.rows("PRAGMA data_version")
        return int(version)

    def ended(self) -> dict[str, int]:
        """Return how many jobs of each queue have ended since the file has been there."""
        return {
            queue: int(count)
            for queue, count in self._db.rows("SELECT queue, sum(count) FROM job_tally GROUP BY queue")
        }

    def ends_per_s(self, *, since: datetime, now: datetime) -> dict[str, float]:
        """Return how many jobs of each queue have ended in a second since then; of very many the last tell it."""
        rates: defaultdict[str, float] = defaultdict(float)
        for (state,) in self._db.rows("SELECT DISTINCT state FROM job_tally"):
            rows = self._db.rows(
                _LAST_ENDS, {"state": state, "since": to_ms(since), "now": to_ms(now), "limit": LOOKED_AT}
            )
            is_all = sum(count for _, count, _ in rows) < LOOKED_AT
            first_ms = to_ms(since) if is_all else min(first for _, _, first in rows)
            span_s = max(to_ms(now) - first_ms, 1) / 1000
            for queue, count, _ in rows:
                rates[queue] += count / span_s
        return dict(rates)


_LAST_ENDS = """
    SELECT queue, count(*), min(finished_at)
      FROM (SELECT queue, finished_at
              FROM jobs INDEXED BY jobs_finished
             WHERE state = :state AND finished_at IS NOT NULL AND finished_at BETWEEN :since AND :now
             ORDER BY finished_at DESC
             LIMIT :limit)
     GROUP BY queue
"""
