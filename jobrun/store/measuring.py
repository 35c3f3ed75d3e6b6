"""Measuring the job file: short reads over its indexes, so that it is no burden to be watched."""

from __future__ import annotations

from datetime import datetime

from jobrun.measures import Measures, QueueMeasure
from jobrun.store.database import Database
from jobrun.store.pauses import Pauses
from jobrun.store.rows import instant
from jobrun.units import to_ms

LOOKED_AT = 1000  # of the oldest jobs of a queue and priority, for the one that waits longest
MOST_OVERDUE = 100_000  # jobs that are due and that nobody has made ready, for want of workers


class Measuring:
    """What is measured of a job file."""

    def __init__(self, database: Database, pauses: Pauses) -> None:
        self._db = database
        self._pauses = pauses

    def measures(self, *, since: datetime, now: datetime) -> Measures:
        """Measure all; ticks count as missed that were decided since `since`."""
        with self._db.reading():
            return Measures(
                at=now,
                queues=self._queues(now),
                scheduled=self._scheduled(now),
                failed=self._count("state = 'failed' AND finished_at IS NOT NULL"),
                crashed=self._count("state = 'crashed' AND finished_at IS NOT NULL"),
                missed=self.missed(since),
                since=since,
            )

    def queues(self) -> set[str]:
        """Return the queues in which a job ended, or that are paused or were."""
        rows = self._db.rows("SELECT queue FROM job_tally UNION SELECT queue FROM pauses")
        return {row["queue"] for row in rows}

    def works(self) -> set[str]:
        """Return what jobs that ended were counted as."""
        return {row["work"] for row in self._db.rows("SELECT DISTINCT work FROM job_tally")}

    def _queues(self, now: datetime) -> tuple[QueueMeasure, ...]:
        ready, oldest = self._ready()
        self._add_overdue(ready, oldest, now)
        running = self._running()
        pauses = {pause.queue: pause for pause in self._pauses.all(now=now)}
        return tuple(
            QueueMeasure(
                queue=queue,
                ready=ready.get(queue, 0),
                running=running.get(queue, 0),
                oldest_at=oldest.get(queue),
                pause=pauses.get(queue),
            )
            for queue in sorted({*ready, *running, *pauses})
        )

    def _ready(self) -> tuple[dict[str, int], dict[str, datetime]]:
        """Return how many jobs of each queue are ready, and since when the first of them has been due.

        Jobs are mostly due in the order of their ids, of which the index has those of a priority in a row.
        """
        counts: dict[str, int] = {}
        oldest: dict[str, datetime] = {}
        rows = self._db.rows(
            """
            SELECT queue, priority, count(*) AS n
              FROM jobs INDEXED BY jobs_ready_by_queue
             WHERE state = 'ready' AND queue NOT LIKE '.%'
             GROUP BY queue, priority
            """
        )
        for queue, priority, count in rows:
            counts[queue] = counts.get(queue, 0) + count
            due_at = self._first_due(queue, priority)
            if due_at is not None:
                oldest[queue] = min(oldest.get(queue, due_at), due_at)
        return counts, oldest

    def _add_overdue(self, counts: dict[str, int], oldest: dict[str, datetime], now: datetime) -> None:
        """Count jobs whose time has come, too: where nobody works, nobody makes them ready."""
        rows = self._db.rows(
            """
            SELECT queue, count(*), min(run_at)
              FROM (SELECT queue, run_at
                      FROM jobs INDEXED BY jobs_scheduled
                     WHERE state = 'scheduled' AND run_at <= :now
                     ORDER BY run_at
                     LIMIT :limit)
             WHERE queue NOT LIKE '.%'
             GROUP BY queue
            """,
            {"now": to_ms(now), "limit": MOST_OVERDUE},
        )
        for queue, count, run_at in rows:
            counts[queue] = counts.get(queue, 0) + count
            oldest[queue] = min(oldest.get(queue, now), instant(run_at))

    def _first_due(self, queue: str, priority: int) -> datetime | None:
        [(run_at,)] = self._db.rows(
            """
            SELECT min(run_at)
              FROM (SELECT run_at
                      FROM jobs INDEXED BY jobs_ready_by_queue
                     WHERE state = 'ready' AND queue = :queue AND priority = :priority
                     ORDER BY id
                     LIMIT :limit)
            """,
            {"queue": queue, "priority": priority, "limit": LOOKED_AT},
        )
        return None if run_at is None else instant(run_at)

    def _running(self) -> dict[str, int]:
        rows = self._db.rows("SELECT queue, count(*) AS n FROM jobs WHERE state = 'running' GROUP BY queue")
        return {row["queue"]: row["n"] for row in rows}

    def _scheduled(self, now: datetime) -> int:
        [(count,)] = self._db.rows(
            """
            SELECT count(*) FROM jobs INDEXED BY jobs_scheduled WHERE state = 'scheduled' AND run_at > :now
            """,
            {"now": to_ms(now)},
        )
        return int(count)

    def _count(self, where: str) -> int:
        [(count,)] = self._db.rows(f"SELECT count(*) FROM jobs WHERE {where}")  # noqa: S608 -- fixed text
        return int(count)

    def missed(self, since: datetime) -> int:
        """Count the ticks decided since an instant that nobody was there for; those too many to count are one."""
        [(count,)] = self._db.rows(
            """
            SELECT coalesce(sum(coalesce(count, 1)), 0)
              FROM ticks INDEXED BY ticks_by_age
             WHERE state = 'missed' AND state <> 'pending' AND decided_at >= :since
            """,
            {"since": to_ms(since)},
        )
        return int(count)
