"""Who schedules which cron table, for people: that nobody else does, a lock makes sure of."""

from __future__ import annotations

from datetime import datetime

from jobrun.cron.words import TableRow
from jobrun.store.cronrows import table_of
from jobrun.store.database import Database
from jobrun.store.rows import storable
from jobrun.units import to_ms


class Tables:
    """The tables that were ever scheduled with this job file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[TableRow]:
        return [table_of(row) for row in self._db.rows("SELECT * FROM tables ORDER BY path")]

    def get(self, path: str) -> TableRow | None:
        row = self._db.row("SELECT * FROM tables WHERE path = :path", {"path": path})
        return None if row is None else table_of(row)

    def hold(self, path: str, *, pid: int, now: datetime) -> None:
        """Note who schedules a table from now on; `pid` is that of the supervisor."""
        with self._db.write():
            self._db.change(
                "INSERT OR REPLACE INTO tables (path, pid, started_at) VALUES (:path, :pid, :now)",
                {"path": path, "pid": pid, "now": to_ms(now)},
            )

    def problem(self, path: str, problem: str | None) -> None:
        """Note why the last change of a table was not taken; None: it was."""
        with self._db.write():
            self._db.change(
                "UPDATE tables SET problem = :problem WHERE path = :path AND problem IS NOT :problem",
                {"path": path, "problem": storable(problem)},
            )
