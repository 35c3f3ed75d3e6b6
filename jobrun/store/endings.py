"""The ends of attempts: each is one guarded UPDATE, so a late worker cannot overwrite its successor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jobrun.bell import Tone
from jobrun.lifecycle import Settlement
from jobrun.model import Ending, Job
from jobrun.store.database import Database
from jobrun.store.many import run_for_all
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
        """Return the tokens of running attempts whose end was asked for, and when.

        Who settles asks in the same transaction, or an order may come between.
        """
        rows = self._db.rows(
            """
            SELECT token, cancel_at
              FROM jobs
             WHERE state = 'running' AND cancel_at IS NOT NULL
            """
        )
        return {row["token"]: instant(row["cancel_at"]) for row in rows}

    def settle(
        self, job: Job, ending: Ending, becomes: Settlement, *, now: datetime, pid: int | None
    ) -> bool:
        """End one running attempt, as `settle_all` does."""
        [is_ended] = self.settle_all([Settling(job, ending, becomes, pid)], now=now)
        return is_ended

    def settle_all(self, ends: Sequence[Settling], *, now: datetime) -> list[bool]:
        """End running attempts and move their jobs on; say of each whether it was ended here.

        An attempt that is not the running one of its job any more is left as it is. One that was taken
        back before it began is undone: it leaves no row, and the next one has its number.
        """
        waits_again = () if all(each.becomes.state.is_final for each in ends) else (Tone.WORK,)
        done: set[int] = set()
        with self._db.write(Tone.DONE, *waits_again):
            for some in _once_a_job(ends):
                done |= self._end([each for each in some if each[1].ending.has_begun], now)
                done |= self._undo([each for each in some if not each[1].ending.has_begun], now)
        return [place in done for place in range(len(ends))]

    def keep_for(self, job_id: int, queue: str, *, expires_at: datetime) -> bool:
        """Have a waiting job wait in a queue that one group alone serves, until an instant; False if it does not wait.

        From then on it is nobody's job, and `expire` ends it.
        """
        with self._db.write(Tone.WORK):
            return bool(
                self._db.change(
                    """
                    UPDATE jobs
                       SET queue = :queue, expires_at = min(:at, coalesce(deadline_at, :at))
                     WHERE id = :id AND state IN ('scheduled', 'ready')
                    """,
                    {"id": job_id, "queue": queue, "at": to_ms(expires_at)},
                )
            )

    def _end(self, ends: Sequence[_Placed], now: datetime) -> set[int]:
        """End attempts, and return the places of those that were ended."""
        rows = run_for_all(self._db, _MOVE, [_moved(each, now) for _, each in ends])
        moved = {job_id for (job_id,) in rows}
        done = {place: each for place, each in ends if each.job.id in moved}
        run_for_all(self._db, _RECORD, [_recorded(each, now) for each in done.values()])
        return set(done)

    def _undo(self, ends: Sequence[_Placed], now: datetime) -> set[int]:
        rows = run_for_all(self._db, _UNDO, [_undone(each, now) for _, each in ends])
        undone = {job_id for (job_id,) in rows}
        return {place for place, each in ends if each.job.id in undone}


class Settling(NamedTuple):
    """The end of an attempt, and what becomes of its job; `pid` is of who ran it."""

    job: Job
    ending: Ending
    becomes: Settlement
    pid: int | None


_Placed = tuple[int, Settling]


def _once_a_job(ends: Sequence[Settling]) -> Iterator[list[_Placed]]:
    """Yield ends with their places, no two of one job together: a statement tells which job it ended, not by which."""
    left = list(enumerate(ends))
    while left:
        taken: dict[int, _Placed] = {}
        again = [each for each in left if taken.setdefault(each[1].job.id, each) is not each]
        yield list(taken.values())
        left = again


def _moved(each: Settling, now: datetime) -> tuple[Any, ...]:
    job, ending, becomes, _ = each
    return (
        job.id,
        job.attempt,
        job.token,
        becomes.state,
        becomes.failures,
        becomes.crashes,
        None if becomes.run_at is None else to_ms(becomes.run_at),
        to_ms(now) if becomes.state.is_final else None,
        storable(becomes.reason),
        storable(ending.result),
        None if ending.began_at is None else to_ms(ending.began_at),
    )


def _undone(each: Settling, now: datetime) -> tuple[Any, ...]:
    job, _, becomes, _ = each
    finished_at = to_ms(now) if becomes.state.is_final else None
    return (job.id, job.token, becomes.state, finished_at, becomes.reason)


def _recorded(each: Settling, now: datetime) -> tuple[Any, ...]:
    job, ending, _, pid = each
    began_at, error, output = ending.began_at or job.started_at, ending.error, ending.output
    assert began_at is not None
    return (
        job.id,
        job.attempt,
        job.token,
        job.worker,
        pid,
        to_ms(began_at),
        to_ms(now),
        ending.outcome,
        ending.exit_code,
        ending.signal,
        storable(ending.cause),
        storable(ending.note),
        None if ending.cpu_s is None else round(ending.cpu_s * 1000),
        ending.peak_rss,
        error and storable(error.type),
        error and storable(error.message),
        error and storable(error.traceback),
        output.size,
        output.head,
        output.tail,
    )


_MOVE = """
    WITH ended (id, attempt, token, state, failures, crashes, run_at, finished_at, reason, result, started_at)
      AS (%s)
    UPDATE jobs
       SET state = ended.state,
           failures = ended.failures,
           crashes = ended.crashes,
           run_at = coalesce(ended.run_at, jobs.run_at),
           finished_at = ended.finished_at,
           reason = ended.reason,
           result = ended.result,
           started_at = coalesce(ended.started_at, jobs.started_at),
           token = NULL,
           worker = NULL
      FROM ended
     WHERE jobs.id = ended.id
       AND jobs.state = 'running'
       AND jobs.attempt = ended.attempt
       AND jobs.token = ended.token
    RETURNING jobs.id
"""
_UNDO = """
    WITH undone (id, token, state, finished_at, reason) AS (%s)
    UPDATE jobs
       SET state = undone.state,
           attempt = jobs.attempt - 1,
           started_at = (SELECT started_at
                           FROM attempts
                          WHERE job_id = jobs.id AND number = jobs.attempt - 1),
           finished_at = undone.finished_at,
           reason = undone.reason,
           token = NULL,
           worker = NULL
      FROM undone
     WHERE jobs.id = undone.id
       AND jobs.state = 'running'
       AND jobs.token = undone.token
    RETURNING jobs.id
"""
_RECORD = """
    INSERT INTO attempts (job_id, number, token, worker, pid, started_at, finished_at, outcome, exit_code,
                          signal, cause, note, cpu_ms, peak_rss, error_type, error_message, traceback,
                          output_size, output_head, output_tail)
    %s
"""
