"""How long a work usually takes: of its recent successes, or else of all that was ever counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from jobrun.measures import Usual
from jobrun.model import Job, Kind
from jobrun.ranks import weighted_percentile
from jobrun.store.database import Database

RECENT = 2000  # successes that are looked through for those of calls and of what a person asked for
TICKS = 200  # of an entry, of which most may have failed or been missed
ENOUGH = 5  # successes; of fewer the tally says more
FRESH = timedelta(minutes=1)  # others are not read again before
MOST_KNOWN = 1000


class _Work(NamedTuple):
    """What has a usual time: an entry, the task of a call, a line or the words of a command."""

    kind: Kind | None  # None: an entry, whose name is the task
    task: str


class UsualTimes:
    """The usual times of works, each read at most once a minute, however often it is asked for."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._known: dict[_Work, tuple[datetime, Usual | None]] = {}
        self._recent: dict[_Work, list[int]] = {}
        self._recent_at: datetime | None = None

    def of(self, job: Job, *, now: datetime) -> Usual | None:
        """Return how long runs of the work of a job take that end well; None if there was none.

        Of a job that was retried, the last attempt counts.
        """
        work = _Work(None, job.entry) if job.entry is not None else _Work(job.kind, job.task)
        read_at, usual = self._known.get(work, (None, None))
        if not _is_fresh(read_at, now):
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            usual = self._read(work, now)
            self._known[work] = now, usual
        return usual

    def _read(self, work: _Work, now: datetime) -> Usual | None:
        took = self._of_entry(work.task) if work.kind is None else self._of_recent(now).get(work, [])
        recent = _usual(took)
        if len(took) >= ENOUGH or work.kind in {Kind.SHELL, Kind.COMMAND}:  # tallied are only their kinds
            return recent
        ever = self._of_tally(work.task)
        return ever if ever and ever.count > len(took) else recent

    def _of_entry(self, entry: str) -> list[int]:
        rows = self._db.rows(
            """
            SELECT max(jobs.finished_at - jobs.started_at, 0)
              FROM (SELECT job_id FROM ticks WHERE entry = :entry ORDER BY at DESC LIMIT :limit) AS last
              JOIN jobs ON jobs.id = last.job_id
             WHERE jobs.state = 'succeeded' AND jobs.started_at IS NOT NULL
            """,
            {"entry": entry, "limit": TICKS},
        )
        return [took_ms for (took_ms,) in rows]

    def _of_recent(self, now: datetime) -> dict[_Work, list[int]]:
        """Return the recent successes of all works but entries: one look serves all."""
        if not _is_fresh(self._recent_at, now):
            self._recent, self._recent_at = {}, now
            for kind, task, took_ms in self._db.rows(_RECENT, {"limit": RECENT}):
                self._recent.setdefault(_Work(Kind(kind), task), []).append(took_ms)
        return self._recent

    def _of_tally(self, work: str) -> Usual | None:
        """Return what the tally says: no run by itself, but the mean of those up to each step."""
        rows = self._db.rows(
            """
            SELECT count, total_ms
              FROM attempt_tally
             WHERE work = :work AND outcome = 'ok' AND count > 0
             ORDER BY up_to = 0, up_to
            """,
            {"work": work},
        )
        return _usual_of([(count, total_ms / count / 1000) for count, total_ms in rows]) if rows else None


_RECENT = """
    SELECT kind, task, max(finished_at - started_at, 0)
      FROM (SELECT kind, task, entry, started_at, finished_at
              FROM jobs INDEXED BY jobs_finished
             WHERE state = 'succeeded' AND finished_at IS NOT NULL
             ORDER BY finished_at DESC
             LIMIT :limit)
     WHERE entry IS NULL AND started_at IS NOT NULL
"""


def _is_fresh(read_at: datetime | None, now: datetime) -> bool:
    """Say whether what was read then is good still; it is not after the clock was set back."""
    return read_at is not None and read_at <= now < read_at + FRESH


def _usual(took_ms: Sequence[int]) -> Usual | None:
    if not took_ms:
        return None
    return _usual_of([(1, each / 1000) for each in sorted(took_ms)])


def _usual_of(steps: Sequence[tuple[int, float]]) -> Usual:
    """Return what is usual of durations in order, each with how many there are of it."""
    return Usual(
        median_s=weighted_percentile(steps, 50),
        p95_s=weighted_percentile(steps, 95),
        count=sum(count for count, _ in steps),
    )
