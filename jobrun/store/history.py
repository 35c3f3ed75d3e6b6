"""What ran in a span of time: jobs that have ended, with all their attempts, read in portions.

Each portion is a read of its own, so that millions of rows never pin the WAL. Of an attempt those columns
alone are read that are needed: what it printed lies on pages behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from jobrun.model import State
from jobrun.store.counting import work_of
from jobrun.store.database import Database
from jobrun.units import to_ms

PORTION = 5000  # jobs
_FINAL = tuple(state for state in State if state.is_final)


class Run(NamedTuple):
    """An attempt of a job that has ended; all but the first three are None for a job that had none.

    Times are milliseconds, for there are many. `wait_ms`, from being due to its begin, is known of jobs with
    one attempt: another one overwrites when it was due.
    """

    work: str
    state: str
    is_first: int  # of the job
    outcome: str | None
    ended_ms: int | None
    took_ms: int | None
    wait_ms: int | None
    cpu_ms: int | None
    peak_rss: int | None
    output_size: int | None
    cause: str | None  # of those that failed
    job_id: int


class History:
    """Past runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def count(self, *, since: datetime) -> int:
        """Return how many jobs have ended since an instant."""
        sql = "SELECT count(*) FROM jobs WHERE state = :state AND finished_at IS NOT NULL AND finished_at >= :since"
        return sum(self._db.rows(sql, {"state": state, "since": to_ms(since)})[0][0] for state in _FINAL)

    def runs(self, *, since: datetime, which: str | None) -> Iterator[tuple[int, Sequence[Run]]]:
        """Yield portions of runs, and how many jobs were looked at for each.

        `which` is a work, as an entry, or a glob over tasks. Of each state the oldest come first.
        """
        for state in _FINAL:
            begin = (to_ms(since), 0)
            while ends := self._next_ends(state, *begin):
                end = (ends[-1][0], ends[-1][1])
                yield len(ends), self._portion(state, begin, end, which)
                begin = end

    def _next_ends(self, state: State, at: int, after: int) -> Sequence[Sequence[int]]:
        """Return times and ids of the jobs of the next portion, from the index alone."""
        sql = f"SELECT finished_at, id FROM jobs WHERE {_AFTER} ORDER BY finished_at, id LIMIT :limit"  # noqa: S608 -- fixed text
        return self._db.rows(sql, {"state": state, "at": at, "after": after, "limit": PORTION})

    def _portion(
        self, state: State, begin: tuple[int, int], end: tuple[int, int], which: str | None
    ) -> list[Run]:
        matching = "" if which is None else f"AND ({work_of('jobs')} = :which OR jobs.task GLOB :which)"
        rows = self._db.rows(
            f"{_RUNS} {matching}",
            {
                "state": state,
                "at": begin[0],
                "after": begin[1],
                "until": end[0],
                "last": end[1],
                "which": which,
            },
        )
        return [Run._make(row) for row in rows]


_AFTER = """
    jobs.state = :state AND jobs.finished_at IS NOT NULL
    AND jobs.finished_at >= :at AND (jobs.finished_at > :at OR jobs.id > :after)
"""
_RUNS = f"""
    SELECT {work_of("jobs")},
           jobs.state,
           coalesce(attempts.number, 1) = 1,
           outcome,
           attempts.finished_at,
           max(attempts.finished_at - attempts.started_at, 0),
           CASE WHEN jobs.attempt = 1 THEN max(attempts.started_at - jobs.run_at, 0) END,
           cpu_ms,
           peak_rss,
           output_size,
           CASE WHEN outcome IN ('error', 'timeout', 'crashed') THEN coalesce(cause, outcome) END,
           jobs.id
      FROM jobs INDEXED BY jobs_finished
      LEFT JOIN attempts ON attempts.job_id = jobs.id
     WHERE {_AFTER}
       AND jobs.finished_at <= :until AND (jobs.finished_at < :until OR jobs.id <= :last)
"""  # noqa: S608 -- fixed text
