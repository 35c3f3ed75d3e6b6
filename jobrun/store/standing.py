"""Where a job stands among the others: what goes before it, who has its key, how it ended last."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from jobrun.model import Attempt, Job
from jobrun.store import queuenames
from jobrun.store.database import Database
from jobrun.store.insertion import holder
from jobrun.store.rows import attempt_of

COUNTED = 10_000  # jobs before one; a queue may hold millions, and nobody waits for their number
_QUEUES = 1000  # at most, that are looked at


class Ahead(NamedTuple):
    """How many ready jobs are claimed before one; beyond `COUNTED` the sum is one more."""

    urgent: int  # of a higher priority
    older: int  # of the same priority

    @property
    def total(self) -> int:
        return self.urgent + self.older


NOTHING_AHEAD = Ahead(0, 0)


class Standing:
    """One job among the others, by the indexes that claiming uses."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def ahead(self, job: Job, *, queues: Collection[str], without: Collection[str]) -> Ahead:
        """Count the ready jobs that are claimed before a job from these queues (none: from all but reserved ones).

        Queues `without` are left out: they are paused.
        """
        urgent = older = 0
        for queue in sorted(set(queues or queuenames.ready(self._db, limit=_QUEUES)) - set(without)):
            urgent += self._count(queue, "priority > :priority", job, COUNTED + 1 - urgent - older)
            older += self._count(
                queue, "priority = :priority AND id < :id", job, COUNTED + 1 - urgent - older
            )
        return Ahead(urgent, older)

    def key_holder(self, key: str) -> int | None:
        """Return the id of the live job that has a key."""
        held = holder(self._db, key)
        return None if held is None else held[0]

    def last_attempt(self, job_id: int) -> Attempt | None:
        """Return the last ended attempt of a job, but for what it printed."""
        row = self._db.row(
            """
            SELECT job_id, number, token, worker, pid, started_at, finished_at, outcome, exit_code, signal, cause,
                   note, cpu_ms, peak_rss, error_type, error_message, traceback, output_size,
                   x'' AS output_head, x'' AS output_tail
              FROM attempts
             WHERE job_id = :id
             ORDER BY number DESC
             LIMIT 1
            """,
            {"id": job_id},
        )
        return None if row is None else attempt_of(row)

    def _count(self, queue: str, before: str, job: Job, most: int) -> int:
        if most <= 0:
            return 0
        [(count,)] = self._db.rows(
            f"""
            SELECT count(*)
              FROM (SELECT 1
                      FROM jobs INDEXED BY jobs_ready_by_queue
                     WHERE state = 'ready' AND queue = :queue AND {before}
                     LIMIT :most)
            """,  # noqa: S608 -- fixed text
            {"queue": queue, "priority": job.priority, "id": job.id, "most": most},
        )
        return int(count)
