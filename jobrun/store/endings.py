"""The ends of attempts: each is one guarded UPDATE, so a late worker cannot overwrite its successor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from jobrun.bell import Tone
from jobrun.lifecycle import Settlement
from jobrun.model import Ending, Job
from jobrun.store.database import Database
from jobrun.store.rows import JOB_WITH_LAST_ATTEMPT, instant, job_of, storable
from jobrun.units import to_ms


class Endings:
    """Running jobs, and how they stop running."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def running(self, workers: Sequence[str] | None = None) -> list[Job]:
        """Return the jobs that run on these workers (None: on any)."""
        sql = f"{JOB_WITH_LAST_ATTEMPT} WHERE jobs.state = 'running'"
        if workers is None:
            return [job_of(row) for row in self._db.rows(sql)]
        found = [self._db.rows(f"{sql} AND jobs.worker = :worker", {"worker": worker}) for worker in workers]
        return [job_of(row) for rows in found for row in rows]

    def to_cancel(self) -> dict[str | None, datetime]:
        """Return the tokens of running attempts whose end was asked for, and when."""
        rows = self._db.rows(
            """
            SELECT token, cancel_at
              FROM jobs
             WHERE state = 'running' AND cancel_at IS NOT NULL
            """
        )
        return {row["token"]: instant(row["cancel_at"]) for row in rows}

    def with_order(self, job: Job) -> Job:
        """Return a running job with the cancel that may have come since it was read.

        To be called in the transaction that settles it, or one may come between.
        """
        return replace(job, cancel_at=self.to_cancel().get(job.token))

    def settle(
        self, job: Job, ending: Ending, becomes: Settlement, *, now: datetime, pid: int | None
    ) -> bool:
        """End a running attempt and move its job on.

        Return False, and change nothing, when the attempt is not the running one any more.
        """
        waits_again = () if becomes.state.is_final else (Tone.WORK,)
        with self._db.write(Tone.DONE, *waits_again):
            kept = self._move(job, ending, becomes, to_ms(now))
            if kept:
                self._record(job, ending, now=to_ms(now), pid=pid)
            return kept

    def _move(self, job: Job, ending: Ending, becomes: Settlement, now_ms: int) -> bool:
        moved = self._db.change(
            """
            UPDATE jobs
               SET state = :state,
                   failures = :failures,
                   crashes = :crashes,
                   run_at = coalesce(:run_at, run_at),
                   finished_at = :finished_at,
                   reason = :reason,
                   result = :result,
                   token = NULL,
                   worker = NULL
             WHERE id = :id AND state = 'running' AND attempt = :attempt AND token = :token
            """,
            {
                "id": job.id,
                "attempt": job.attempt,
                "token": job.token,
                "state": becomes.state,
                "failures": becomes.failures,
                "crashes": becomes.crashes,
                "run_at": None if becomes.run_at is None else to_ms(becomes.run_at),
                "finished_at": now_ms if becomes.state.is_final else None,
                "reason": storable(becomes.reason),
                "result": storable(ending.result),
            },
        )
        return moved == 1

    def _record(self, job: Job, ending: Ending, *, now: int, pid: int | None) -> None:
        assert job.started_at is not None
        error = ending.error
        columns: dict[str, Any] = {
            "job_id": job.id,
            "number": job.attempt,
            "token": job.token,
            "worker": job.worker,
            "pid": pid,
            "started_at": to_ms(job.started_at),
            "finished_at": now,
            "outcome": ending.outcome,
            "exit_code": ending.exit_code,
            "signal": ending.signal,
            "cause": storable(ending.cause),
            "note": storable(ending.note),
            "cpu_ms": None if ending.cpu_s is None else round(ending.cpu_s * 1000),
            "peak_rss": ending.peak_rss,
            "error_type": error and storable(error.type),
            "error_message": error and storable(error.message),
            "traceback": error and storable(error.traceback),
            "output_size": ending.output.size,
            "output_head": ending.output.head,
            "output_tail": ending.output.tail,
        }
        self._db.change(_RECORD, columns)


_RECORD = """
    INSERT INTO attempts (job_id, number, token, worker, pid, started_at, finished_at, outcome, exit_code,
                          signal, cause, note, cpu_ms, peak_rss, error_type, error_message, traceback,
                          output_size, output_head, output_tail)
    VALUES (:job_id, :number, :token, :worker, :pid, :started_at, :finished_at, :outcome, :exit_code,
            :signal, :cause, :note, :cpu_ms, :peak_rss, :error_type, :error_message, :traceback,
            :output_size, :output_head, :output_tail)
"""
