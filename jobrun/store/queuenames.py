"""Which queues there are: a queue has no row of its own, it is a word of its jobs."""

from __future__ import annotations

from collections.abc import Collection

from jobrun.store.database import Database
from jobrun.store.rows import compact

# From one queue to the next by a search of the index, so that it costs nothing that one has many jobs.
_NAMES = """
    WITH RECURSIVE waiting (queue) AS (
        SELECT (SELECT queue
                  FROM jobs INDEXED BY jobs_ready_by_queue
                 WHERE state = 'ready'
                 ORDER BY queue
                 LIMIT 1)
         UNION ALL
        SELECT (SELECT jobs.queue
                  FROM jobs INDEXED BY jobs_ready_by_queue
                 WHERE state = 'ready' AND jobs.queue > waiting.queue
                 ORDER BY jobs.queue
                 LIMIT 1)
          FROM waiting
         WHERE waiting.queue IS NOT NULL)
    SELECT queue
      FROM waiting
     WHERE queue NOT LIKE '.%' AND queue NOT IN (SELECT value FROM json_each(?))
     LIMIT ?
"""
_SEEN = """
    SELECT DISTINCT queue FROM job_tally
     UNION
    SELECT queue FROM jobs WHERE state = 'running'
"""


def ready(database: Database, *, but: Collection[str] = (), limit: int = -1) -> list[str]:
    """Return the queues that have ready jobs, without reserved ones and some others."""
    return [row["queue"] for row in database.rows(_NAMES, (compact(list(but)), limit))]


def seen(database: Database) -> list[str]:
    """Return the queues in which a job is ready or runs, or has ended since that is counted."""
    return sorted({*ready(database), *(row["queue"] for row in database.rows(_SEEN))})


def has_scheduled(database: Database, queue: str) -> bool:
    """Say whether a job of a queue is due later; all that are may be read for that."""
    sql = "SELECT 1 FROM jobs WHERE state = 'scheduled' AND queue = ? LIMIT 1"
    return database.row(sql, (queue,)) is not None
