"""What runs next of the entries that a job file knows, as far as their table can be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jobrun.actions.entries import Coming
from jobrun.cli.place import table_at
from jobrun.cron.words import Entry, EntryRow
from jobrun.errors import JobrunError

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
    entries = [entry for entry in _entries(table) if entry.is_enabled and entry.name in known]
    runs = coming(entries, known, now)
    return next((run for run in runs if not known[run.entry.name].is_paused_at(run.occurrence.at)), None)


def _entries(table: str) -> Sequence[Entry]:
    try:
        return table_at(Path(table)).entries
    except JobrunError:
        return ()
