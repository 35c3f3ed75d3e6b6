"""The living incarnations of workers, for people and for recovery."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from jobrun.model import WorkerRow
from jobrun.store.database import Database
from jobrun.store.rows import compact, worker_of
from jobrun.units import to_ms


class Workers:
    """Who works on this job file. That a row is here proves nothing: its lock does."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[WorkerRow]:
        """Return all workers that were not seen to leave, by group and place."""
        return [worker_of(row) for row in self._db.rows("SELECT * FROM workers ORDER BY group_pid, number")]

    def get(self, name: str) -> WorkerRow | None:
        row = self._db.row("SELECT * FROM workers WHERE name = :name", {"name": name})
        return None if row is None else worker_of(row)

    def join(self, worker: WorkerRow) -> None:
        """Write a worker down; doing it again changes nothing."""
        with self._db.write():
            self._db.change(
                """
                INSERT OR IGNORE INTO workers (name, number, pid, group_pid, queues, started_at)
                VALUES (:name, :number, :pid, :group_pid, :queues, :started_at)
                """,
                {
                    "name": worker.name,
                    "number": worker.number,
                    "pid": worker.pid,
                    "group_pid": worker.group_pid,
                    "queues": compact(worker.queues),
                    "started_at": to_ms(worker.started_at),
                },
            )

    def stopping(self, names: Collection[str], *, now: datetime) -> None:
        """Note that a group shuts down: what dies after this instant was interrupted.

        A pid would not name the group: in two containers that share the file both may be 1.
        """
        with self._db.write():
            self._db.change(
                """
                UPDATE workers
                   SET stopping_at = :now
                 WHERE name IN (SELECT value FROM json_each(:names)) AND stopping_at IS NULL
                """,
                {"now": to_ms(now), "names": compact(list(names))},
            )

    def leave(self, name: str) -> bool:
        """Strike a worker off, unless a job of its is still to be settled; say whether it is off."""
        with self._db.write():
            self._db.change(
                """
                DELETE FROM workers
                 WHERE name = :name
                   AND NOT EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND worker = :name)
                """,
                {"name": name},
            )
            return self.get(name) is None
