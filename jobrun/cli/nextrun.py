"""What runs next of the entries that a job file knows, as far as their table can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from jobrun.cli.place import table_at
from jobrun.cron.words import Coming, Entry, EntryRow
from jobrun.errors import JobrunError
from jobrun.units import MILLISECOND

MOST = 1000  # entries whose times are computed for a glance; of more, one is due in a moment


def in_table(row: EntryRow) -> Entry | None:
    """Return an entry as its table has it now; None if it is gone or the table cannot be read."""
    return next((entry for entry in _entries(row.table) if entry.name == row.name), None)


def next_run(table: str, rows: Sequence[EntryRow], now: datetime) -> Coming | None:
    """Return the next run of entries of one table; None if there is none or it cannot be known."""
    from jobrun.actions.coming import coming  # noqa: PLC0415 -- what computes times is loaded for them alone

    if len(rows) > MOST:
        return None
    known = {row.name: row for row in rows if row.removed_at is None}
    by_start: dict[datetime, list[Entry]] = {}
    for entry in _entries(table):
        if entry.is_enabled and entry.name in known and (start := _start(known[entry.name], now)) is not None:
            by_start.setdefault(start, []).append(entry)
    firsts = [next(coming(group, known, start), None) for start, group in by_start.items()]
    return min(filter(None, firsts), key=lambda run: run.occurrence.at, default=None)


def next_runs(tables: Mapping[str, Sequence[EntryRow]], now: datetime) -> list[Coming]:
    """Return the next run of each entry of some tables, the first one first."""
    from jobrun.actions.coming import coming  # noqa: PLC0415 -- as above

    found = []
    for table, rows in tables.items():
        known = {row.name: row for row in rows if row.removed_at is None}
        for entry in _entries(table) if len(rows) <= MOST else ():
            row = known.get(entry.name)
            start = _start(row, now) if row is not None and entry.is_enabled else None
            if start is not None and (run := next(coming([entry], known, start), None)) is not None:
                found.append(run)
    return sorted(found, key=lambda run: run.occurrence.at)


def _start(row: EntryRow, now: datetime) -> datetime | None:
    """Return the instant after which an entry runs; None if it rests until somebody resumes it."""
    if not row.is_paused_at(now):
        return now
    return None if row.paused_until is None else row.paused_until - MILLISECOND


def _entries(table: str) -> Sequence[Entry]:
    try:
        return table_at(Path(table)).entries
    except JobrunError:
        return ()
