"""What has ended, in the order in which it grows old; a page at a time, each by an index or by ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from jobrun.model import State
from jobrun.store.database import Database
from jobrun.store.rows import compact, legible
from jobrun.units import to_ms


class Place(NamedTuple):
    """How far jobs in one state were read, in the order of their ends."""

    finished_at: int  # milliseconds
    job_id: int


BEGIN = Place(-1, 0)


class Aged(NamedTuple):
    """A page of what has ended: the ids that were asked for, and where the next page begins."""

    ids: list[int]
    place: Place | None  # None: this was the last page


class Run(NamedTuple):
    """A job on the way from the newest to the oldest; `work` None: nothing that its runs could be counted by."""

    id: int
    state: State
    work: str | None
    is_entry: bool  # `work` is one, and no task of that name
    is_last: bool  # of its entry, to succeed or not to


class Size(NamedTuple):
    """How much a job holds: its attempts that have ended, and the bytes of all its columns and theirs."""

    attempts: int
    size: int


class Aging:
    """The old rows of a job file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def ended(self, state: State, before: datetime, place: Place, *, limit: int) -> Aged:
        """Return the jobs on a page that ended before an instant, without the last runs of entries."""
        return self._page(_ENDED.format(wanted=f"NOT {_IS_LAST}"), state, before, place, limit)

    def with_output(self, state: State, before: datetime, place: Place, *, limit: int) -> Aged:
        """Return the jobs on a page that ended before an instant and have output yet."""
        return self._page(_ENDED.format(wanted=_HAS_OUTPUT), state, before, place, limit)

    def runs(self, below_id: int | None, *, limit: int) -> list[Run]:
        """Return the jobs next below an id, the newest first, live ones too; None: from the newest on."""
        rows = self._db.rows(_RUNS, {"below": below_id, "limit": limit})
        return [_run_of(*row) for row in rows]

    def drop_output(self, ids: Sequence[int]) -> None:
        """Forget what jobs that have ended printed, but not how much it was."""
        with self._db.write():
            self._db.change(_DROP_OUTPUT, {"ids": compact(list(ids))})

    def sizes(self, ids: Sequence[int]) -> dict[int, Size]:
        """Return what jobs hold with their attempts, as far as they are there."""
        rows = self._db.rows(_SIZES, {"ids": compact(list(ids))})
        return {job_id: Size(attempts, size) for job_id, attempts, size in rows}

    def used(self) -> int:
        """Return how many bytes of the file hold anything; free pages are written over first."""
        [(pages,)] = self._db.rows("PRAGMA page_count")
        [(free,)] = self._db.rows("PRAGMA freelist_count")
        [(size,)] = self._db.rows("PRAGMA page_size")
        return int((pages - free) * size)

    def _page(self, sql: str, state: State, before: datetime, place: Place, limit: int) -> Aged:
        arguments = {
            "state": state,
            "before": to_ms(before),
            "finished_at": place.finished_at,
            "id": place.job_id,
            "limit": limit,
        }
        rows = self._db.rows(sql, arguments)
        last = Place(rows[-1]["finished_at"], rows[-1]["id"]) if len(rows) == limit else None
        return Aged([row["id"] for row in rows if row["is_wanted"]], last)


@legible
def _run_of(job_id: int, state: str, entry: str | None, task: str | None, is_last: int) -> Run:
    return Run(job_id, _STATES[state], entry or task, entry is not None, bool(is_last))


_STATES = {each.value: each for each in State}
_IS_LAST = """EXISTS (SELECT 1 FROM last_runs WHERE last_runs.entry = jobs.entry AND job_id = jobs.id)"""
_HAS_OUTPUT = """
    EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND length(output_head) + length(output_tail) > 0)
"""
# Its index has the ids, too, in their order among those of one instant.
_ENDED = """
    SELECT id, finished_at, {wanted} AS is_wanted
      FROM jobs INDEXED BY jobs_finished
     WHERE state = :state AND finished_at IS NOT NULL AND finished_at < :before
       AND (finished_at, id) > (:finished_at, :id)
     ORDER BY finished_at, id
     LIMIT :limit
"""
_RUNS = f"""
    SELECT id, state, entry, CASE WHEN kind = 'call' THEN task END AS task, {_IS_LAST} AS is_last
      FROM jobs
     WHERE id < coalesce(:below, 9223372036854775807)
     ORDER BY id DESC
     LIMIT :limit
"""  # noqa: S608 -- fixed text
# What numbers take is about the same in every row; what was printed is measured without being read.
_SIZES = """
    SELECT id, count(number),
           100 + length(CAST(task || args || kwargs || tags || coalesce(result, '') || coalesce(jobs.reason, '')
                             || coalesce(terms, '') || coalesce(name, '') || coalesce(key, '') AS BLOB))
           + coalesce(sum(80 + length(output_head) + length(output_tail)
                          + length(CAST(coalesce(traceback, '') || coalesce(error_message, '') AS BLOB))), 0)
      FROM jobs
      LEFT JOIN attempts ON job_id = id
     WHERE id IN (SELECT value FROM json_each(:ids))
     GROUP BY id
"""
_DROP_OUTPUT = """
    UPDATE attempts
       SET output_head = x'', output_tail = x''
     WHERE job_id IN (SELECT id
                        FROM jobs
                       WHERE id IN (SELECT value FROM json_each(:ids)) AND finished_at IS NOT NULL)
       AND length(output_head) + length(output_tail) > 0
"""
