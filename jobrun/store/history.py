"""What ran in a span of time: jobs that have ended, with all their attempts, read in portions.

Each portion is a read of its own, so that millions of rows never pin the WAL. Attempts are read as they lie in
the file. To look for each one by its job would cost more the more they have printed: wherever SQLite compares
the key of a row without a rowid, it reads the whole row first, with all its output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from jobrun.model import State
from jobrun.store.counting import work_of
from jobrun.store.database import Database
from jobrun.units import to_ms

PORTION = 5000  # rows
_FINAL = tuple(state for state in State if state.is_final)
_WITHOUT_ATTEMPT = (State.CANCELLED, State.EXPIRED, State.SKIPPED)  # as jobs may end that never began


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


class Extent(NamedTuple):
    """How many jobs have ended in a span of time, and between which ids they lie."""

    jobs: int
    first_id: int
    last_id: int


class History:
    """Past runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def extent(self, *, since: datetime) -> Extent:
        """Return what the index of what has ended tells of the span that began at an instant."""
        found = [self._db.rows(_EXTENT, {"state": state, "since": to_ms(since)})[0] for state in _FINAL]
        there = [each for each in found if each["n"]]
        if not there:
            return Extent(0, 0, -1)
        first_id, last_id = min(each["first"] for each in there), max(each["last"] for each in there)
        return Extent(sum(each["n"] for each in there), first_id, last_id)

    def runs(self, *, since: datetime, which: str | None) -> Iterator[tuple[int, Sequence[Run]]]:
        """Yield portions of runs, and how many jobs were looked at for each.

        `which` is a work, as an entry, or a glob over tasks.
        """
        values = {"since": to_ms(since), "which": which, "limit": PORTION}
        matching = "" if which is None else f"AND ({work_of('jobs')} = :which OR jobs.task GLOB :which)"
        _, first_id, last_id = self.extent(since=since)
        key = (first_id, 0)
        while key[0] <= last_id:
            rows = self._db.rows(_ATTEMPTS % matching, {**values, "job_id": key[0], "number": key[1]})
            if not rows:
                break
            key = (rows[-1]["job_id"], rows[-1]["number"])
            runs = [Run._make(row) for row in rows if row[0] is not None]
            yield sum(run.number == 1 for run in runs), runs
        for state in _WITHOUT_ATTEMPT:
            yield from self._never_begun(state, matching, values)

    def _never_begun(
        self, state: State, matching: str, values: Mapping[str, object]
    ) -> Iterator[tuple[int, Sequence[Run]]]:
        begin: tuple[object, object] = (values["since"], 0)
        while rows := self._db.rows(
            _NEVER_BEGUN % matching, {**values, "state": state, "at": begin[0], "after": begin[1]}
        ):
            begin = (rows[-1]["finished_at"], rows[-1]["id"])
            runs = [Run(work, state, job_id, None) for work, job_id, _ in rows if work is not None]
            yield len(runs), runs


_EXTENT = """
    SELECT count(*) AS n, min(id) AS first, max(id) AS last
      FROM jobs
     WHERE state = :state AND finished_at IS NOT NULL AND finished_at >= :since
"""
_ATTEMPTS = f"""
    SELECT CASE WHEN jobs.finished_at >= :since %s THEN {work_of("jobs")} END,
           jobs.state,
           job_id,
           number,
           outcome,
           ended_at,
           max(ended_at - began_at, 0),
           CASE WHEN jobs.attempt = 1 THEN max(began_at - jobs.run_at, 0) END,
           cpu_ms,
           peak_rss,
           output_size,
           CASE WHEN outcome IN ('error', 'timeout', 'crashed') THEN coalesce(cause, outcome) END
      FROM (SELECT job_id, number, outcome, started_at AS began_at, finished_at AS ended_at, cpu_ms, peak_rss,
                   output_size, cause
              FROM attempts
             WHERE (job_id, number) > (:job_id, :number)
             ORDER BY job_id, number
             LIMIT :limit)
     CROSS JOIN jobs ON jobs.id = job_id
"""  # noqa: S608 -- fixed text
_NEVER_BEGUN = f"""
    SELECT CASE WHEN jobs.attempt = 0 %s THEN {work_of("jobs")} END, jobs.id, jobs.finished_at
      FROM jobs INDEXED BY jobs_finished
     WHERE jobs.state = :state AND jobs.finished_at IS NOT NULL
       AND jobs.finished_at >= :at AND (jobs.finished_at > :at OR jobs.id > :after)
     ORDER BY jobs.finished_at, jobs.id
     LIMIT :limit
"""  # noqa: S608 -- fixed text
