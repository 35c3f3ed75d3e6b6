"""Reading the tallies: what has been counted since the job file has been there, purged or not."""

from __future__ import annotations

import math

from jobrun import measures
from jobrun.measures import STEPS_MS, AttemptTally, JobTally, TickTally
from jobrun.store.database import Database


class Tallies:
    """What triggers of the schema count."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> measures.Tallies:
        """Return all tallies as they stand at one moment."""
        with self._db.reading():
            return measures.Tallies(
                jobs=self._jobs(),
                attempts=self._attempts(),
                ticks=self._ticks(),
                steps_s=tuple(step / 1000 for step in STEPS_MS),
            )

    def sqlite(self) -> str:
        """Return the version of the SQLite that reads the file."""
        [(version,)] = self._db.rows("SELECT sqlite_version()")
        return str(version)

    def _jobs(self) -> tuple[JobTally, ...]:
        rows = self._db.rows("SELECT queue, work, state, count FROM job_tally")
        return tuple(JobTally(queue=row[0], work=row[1], state=row[2], count=row[3]) for row in rows)

    def _attempts(self) -> tuple[AttemptTally, ...]:
        rows = self._db.rows("SELECT work, outcome, up_to, count, total_ms FROM attempt_tally")
        return tuple(
            AttemptTally(
                work=work,
                outcome=outcome,
                up_to_s=up_to / 1000 if up_to else math.inf,
                count=count,
                total_s=total_ms / 1000,
            )
            for work, outcome, up_to, count, total_ms in rows
        )

    def _ticks(self) -> tuple[TickTally, ...]:
        rows = self._db.rows("SELECT entry, state, count FROM tick_tally")
        return tuple(TickTally(entry=row[0], state=row[1], count=row[2]) for row in rows)
