"""What people order: run it again, end it, forget it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jobrun.bell import Tone
from jobrun.errors import NotDone
from jobrun.model import Job
from jobrun.store.database import Database
from jobrun.store.rows import JOB_WITH_LAST_ATTEMPT, compact, job_of
from jobrun.units import to_ms


class Orders:
    """Changes of jobs by people."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def retry(self, ids: Sequence[int], *, now: datetime) -> list[int]:
        """Make ended jobs ready afresh, and return those that now wait.

        Failures and crashes count from nought again, without a deadline; the attempt number goes on.
        What succeeded, was skipped or is live is left alone. Raises `NotDone`, changing nothing, if a live job has
        taken the key of one of them, or if two of them have one key.
        """
        with self._db.write(Tone.WORK):
            self._refuse_taken_keys(ids)
            rows = self._db.rows(
                """
                UPDATE jobs
                   SET state = 'ready',
                       run_at = :now,
                       failures = 0,
                       crashes = 0,
                       finished_at = NULL,
                       cancel_at = NULL,
                       expires_at = NULL,
                       deadline_at = NULL,
                       reason = 'retried by a person'
                 WHERE id IN (SELECT value FROM json_each(:ids))
                   AND state IN ('failed', 'crashed', 'cancelled', 'expired')
                RETURNING id
                """,
                {"ids": compact(list(ids)), "now": to_ms(now)},
            )
        return sorted(row["id"] for row in rows)

    def cancel(self, job_id: int, *, now: datetime) -> Job | None:
        """End a waiting job, or ask for the end of a running one; return the job afterwards.

        None if there is no such job; unchanged if it has ended.
        """
        with self._db.write(Tone.WORK, Tone.DONE):
            arguments = {"id": job_id, "now": to_ms(now)}
            self._db.change(
                """
                UPDATE jobs
                   SET state = 'cancelled', cancel_at = :now, finished_at = :now, reason = 'cancelled before it ran'
                 WHERE id = :id AND state IN ('scheduled', 'ready')
                """,
                arguments,
            )
            self._db.change(
                "UPDATE jobs SET cancel_at = coalesce(cancel_at, :now) WHERE id = :id AND state = 'running'",
                arguments,
            )
            row = self._db.row(f"{JOB_WITH_LAST_ATTEMPT} WHERE jobs.id = :id", {"id": job_id})
        return None if row is None else job_of(row)

    def purge(self, ids: Sequence[int]) -> int:
        """Remove ended jobs with their attempts, and environments that no job needs; return how many."""
        with self._db.write():
            rows = self._db.rows(
                """
                DELETE FROM jobs
                 WHERE id IN (SELECT value FROM json_each(:ids)) AND finished_at IS NOT NULL
                RETURNING environment
                """,
                {"ids": compact(list(ids))},
            )
            for digest in {row["environment"] for row in rows} - {None}:
                self._forget_environment(digest)
        return len(rows)

    def _refuse_taken_keys(self, ids: Sequence[int]) -> None:
        row = self._db.row(
            """
            SELECT ended.id AS ended, live.id AS holder, live.key AS key
              FROM jobs AS ended
              JOIN jobs AS live
                ON live.key = ended.key AND live.state IN ('scheduled', 'ready', 'running')
             WHERE ended.id IN (SELECT value FROM json_each(:ids))
               AND ended.state IN ('failed', 'crashed', 'cancelled', 'expired')
            UNION ALL
            SELECT max(id), min(id), key
              FROM jobs
             WHERE id IN (SELECT value FROM json_each(:ids))
               AND state IN ('failed', 'crashed', 'cancelled', 'expired')
               AND key IS NOT NULL
             GROUP BY key
            HAVING count(*) > 1
             LIMIT 1
            """,
            {"ids": compact(list(ids))},
        )
        if row is not None:
            raise NotDone(
                f"job {row['ended']} cannot wait again: job {row['holder']} has its key `{row['key']}`",
                hint="retry it once that job has ended",
            )

    def _forget_environment(self, digest: str) -> None:
        self._db.change(
            """
            DELETE FROM environments
             WHERE hash = :hash AND NOT EXISTS (SELECT 1 FROM jobs WHERE environment = :hash)
            """,
            {"hash": digest},
        )
