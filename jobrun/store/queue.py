"""The hot path: what is due becomes ready, what is ready becomes running."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from jobrun.bell import Tone
from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, Outcome
from jobrun.store.database import Database
from jobrun.store.endings import Endings
from jobrun.store.rows import NO_LAST_ATTEMPT, Unreadable, instant, job_of
from jobrun.units import to_ms

PROMOTED_AT_ONCE = 1000  # a longer backlog must not hold the write lock


class Queue:
    """The jobs that wait, as a dispatcher sees them."""

    def __init__(self, database: Database, endings: Endings) -> None:
        self._db = database
        self._endings = endings

    def next_due(self) -> datetime | None:
        """Return when the earliest scheduled job falls due, or None if none is scheduled."""
        row = self._db.row("SELECT min(run_at) AS run_at FROM jobs WHERE state = 'scheduled'")
        return None if row is None or row["run_at"] is None else instant(row["run_at"])

    def has_ready(self, queues: Sequence[str]) -> bool:
        """Say whether any of these queues (none given: any queue) has a job to hand out."""
        return bool(list(itertools.islice(self._candidates(queues, limit=1), 1)))

    def promote(self, *, now: datetime) -> int:
        """Make ready what is due, in batches; return how many. A full batch may have left some."""
        due_at = self.next_due()
        if due_at is None or due_at > now:
            return 0  # nobody needs to be woken
        with self._db.write(Tone.WORK):
            return self._db.change(
                """
                UPDATE jobs
                   SET state = 'ready'
                 WHERE id IN (SELECT id
                                FROM jobs
                               WHERE state = 'scheduled' AND run_at <= :now
                               ORDER BY run_at
                               LIMIT :limit)
                """,
                {"now": to_ms(now), "limit": PROMOTED_AT_ONCE},
            )

    def expire(self, *, now: datetime) -> list[int]:
        """End a batch of what was not started in time; return the ids."""
        due = {"now": to_ms(now), "limit": PROMOTED_AT_ONCE}
        where = "expires_at IS NOT NULL AND state IN ('scheduled', 'ready') AND expires_at <= :now"
        if self._db.row(f"SELECT 1 FROM jobs WHERE {where} LIMIT 1", {"now": due["now"]}) is None:  # noqa: S608 -- fixed text
            return []
        with self._db.write(Tone.DONE):
            rows = self._db.rows(
                f"""
                UPDATE jobs
                   SET state = 'expired', finished_at = :now, reason = 'not started in time'
                 WHERE id IN (SELECT id FROM jobs WHERE {where} LIMIT :limit)
                RETURNING id
                """,  # noqa: S608 -- fixed text
                due,
            )
        return sorted(row["id"] for row in rows)

    def claim(
        self, workers: Sequence[str], *, queues: Sequence[str], now: datetime, new_token: Callable[[], str]
    ) -> list[Job]:
        """Give each of `workers` the most urgent ready job, while there are any.

        Higher priority first, then the older job. The attempt number goes up by one, and `token`
        names that attempt from here on; the job is not handed out before this is committed. An expired
        job that `expire` has not ended yet leaves a worker without a job for this time, as does one
        that cannot be read: it fails, and hurts nobody else. No `queues` are all but reserved ones.
        """
        with self._db.write():
            ids = list(itertools.islice(self._candidates(queues, limit=len(workers)), len(workers)))
            started = [
                self._start(job_id, worker=worker, token=new_token(), now=now)
                for job_id, worker in zip(ids, workers, strict=False)
            ]
            return [job for job in started if job is not None]

    def _candidates(self, queues: Sequence[str], *, limit: int) -> Iterable[int]:
        if not queues:
            rows = self._db.rows(
                """
                SELECT id
                  FROM jobs INDEXED BY jobs_ready
                 WHERE state = 'ready' AND queue NOT LIKE '.%'
                 ORDER BY priority DESC, id
                 LIMIT :limit
                """,
                {"limit": limit},
            )
            return [row["id"] for row in rows]
        heads = [self._heads(queue, limit=limit) for queue in queues]
        return [job_id for _, job_id in heapq.merge(*heads)]

    def _heads(self, queue: str, *, limit: int) -> list[tuple[int, int]]:
        rows = self._db.rows(
            """
            SELECT -priority AS urgency, id
              FROM jobs INDEXED BY jobs_ready_by_queue
             WHERE state = 'ready' AND queue = :queue
             ORDER BY priority DESC, id
             LIMIT :limit
            """,
            {"queue": queue, "limit": limit},
        )
        return [(row["urgency"], row["id"]) for row in rows]

    def _start(self, job_id: int, *, worker: str, token: str, now: datetime) -> Job | None:
        """Start a ready job, unless it has expired or cannot be read; one that was reserved is so no more."""
        row = self._db.row(
            f"""
            UPDATE jobs
               SET state = 'running',
                   queue = iif(queue LIKE '.%', substr(queue, instr(substr(queue, 2), '.') + 2), queue),
                   attempt = attempt + 1,
                   token = :token,
                   worker = :worker,
                   started_at = :now,
                   reason = NULL
             WHERE id = :id AND state = 'ready' AND (expires_at IS NULL OR expires_at > :now)
            RETURNING *, {NO_LAST_ATTEMPT}
            """,  # noqa: S608 -- fixed text
            {"id": job_id, "token": token, "worker": worker, "now": to_ms(now)},
        )
        if row is None:
            return None
        try:
            return job_of(row, exactly=True)
        except Unreadable as error:
            self._fail(job_of(row), str(error), now)
            return None

    def _fail(self, job: Job, cause: str, now: datetime) -> None:
        ending = Ending(outcome=Outcome.ERROR, cause=cause, is_permanent=True)
        self._endings.settle(job, ending, settle(job, ending, now, 0.0), now=now, pid=None)
