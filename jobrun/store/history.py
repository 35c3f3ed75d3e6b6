"""What ran in a span of time: jobs that have ended, with all their attempts, read in portions.

Each portion is a read of its own, so that millions of rows never pin the WAL. Jobs are found in the order in
which they ended, so that a short span costs little in a large file.
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
    """An attempt of a job that has ended; `number`, and all that follows, is None for a job that never began.

    Times are milliseconds, for there are many. `wait_ms`, from being due to its begin, is known of jobs with
    one attempt: another one overwrites when it was due.
    """

    work: str
    state: str
    job_id: int
    number: int | None
    outcome: str | None = None
    ended_ms: int | None = None
    took_ms: int | None = None
    wait_ms: int | None = None
    cpu_ms: int | None = None
    peak_rss: int | None = None
    output_size: int | None = None
    cause: str | None = None  # of those that failed


class History:
    """Past runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def count(self, *, since: datetime) -> int:
        """Return how many jobs have ended since an instant."""
        return sum(
            int(self._db.rows(_COUNT, {"state": state, "since": to_ms(since)})[0]["n"]) for state in _FINAL
        )

    def runs(self, *, since: datetime, which: str | None) -> Iterator[tuple[int, Sequence[Run]]]:
        """Yield portions of runs, and how many jobs were looked at for each.

        `which` is a work, as an entry, or a glob over tasks.
        """
        for state in _FINAL:
            at, after = to_ms(since), 0
            while rows := self._db.rows(
                _RUNS_OF_ONE if which is not None else _RUNS,
                {"state": state, "at": at, "after": after, "which": which, "limit": PORTION},
            ):
                at, after = rows[-1]["at"], rows[-1]["job_id"]
                jobs = len({row["job_id"] for row in rows})
                yield jobs, [Run._make(row[1:]) for row in rows if row["work"] is not None]


_COUNT = """
    SELECT count(*) AS n FROM jobs WHERE state = :state AND finished_at IS NOT NULL AND finished_at >= :since
"""


def _runs(work: str) -> str:
    """Return SQL for a portion; `work` is what a job counts as, and NULL for one that is not meant."""
    return f"""
        SELECT jobs.finished_at AS at,
               {work} AS work,
               jobs.state,
               jobs.id AS job_id,
               number,
               outcome,
               attempts.finished_at,
               max(attempts.finished_at - attempts.started_at, 0),
               CASE WHEN jobs.attempt = 1 THEN max(attempts.started_at - jobs.run_at, 0) END,
               cpu_ms,
               peak_rss,
               output_size,
               CASE WHEN outcome IN ('error', 'timeout', 'crashed') THEN coalesce(cause, outcome) END
          FROM (SELECT id
                  FROM jobs INDEXED BY jobs_finished
                 WHERE state = :state AND finished_at IS NOT NULL
                   AND finished_at >= :at AND (finished_at > :at OR id > :after)
                 ORDER BY finished_at, id
                 LIMIT :limit) AS portion
         CROSS JOIN jobs ON jobs.id = portion.id
          LEFT JOIN attempts ON attempts.job_id = jobs.id
         ORDER BY jobs.finished_at, jobs.id, number
    """  # noqa: S608 -- fixed text


_RUNS = _runs(work_of("jobs"))
_RUNS_OF_ONE = _runs(
    f"CASE WHEN {work_of('jobs')} = :which OR jobs.task GLOB :which THEN {work_of('jobs')} END"
)
