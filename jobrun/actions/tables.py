"""Who serves which table: alive by its lock, whatever stands in the job file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobrun import locks
from jobrun.cron.words import EntryRow, TableRow
from jobrun.paths import scheduler_lock
from jobrun.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A table with entries in this job file, and who schedules it now, if anybody does."""

    path: str
    entries: tuple[EntryRow, ...]
    scheduler: TableRow | None
    problem: str | None  # why the last change of its file was not taken

    def paused(self, now: datetime) -> list[str]:
        """Return the names of the entries that rest."""
        return [row.name for row in self.entries if row.is_paused_at(now)]


def tables(store: Store) -> tuple[TableView, ...]:
    """Return the tables whose entries the job file knows, by their paths."""
    by_path: dict[str, list[EntryRow]] = {}
    for row in store.entries.rows():
        by_path.setdefault(row.table, []).append(row)
    return tuple(table(store, path, rows) for path, rows in sorted(by_path.items()))


def table(store: Store, path: str, rows: list[EntryRow]) -> TableView:
    """Return a table with these entries."""
    last = store.tables.get(path)
    is_alive = last is not None and locks.is_held(scheduler_lock(store.path, Path(path)))
    return TableView(
        path=path,
        entries=tuple(rows),
        scheduler=last if is_alive else None,
        problem=last.problem if last is not None else None,
    )
