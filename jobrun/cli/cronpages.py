"""A table at a glance."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from jobrun.actions.tables import TableView
from jobrun.cli.human import distance
from jobrun.cron.words import Coming
from jobrun.units import listed, plural

SHOWN = 5  # names of entries that are paused


def glance(view: TableView, coming: Coming | None, now: datetime) -> str:
    """Return a table in one line: who serves it, what rests, what runs next."""
    parts = [f"{plural(len(view.entries), 'entry')} of {Path(view.path).name} ({scheduler_of(view)})"]
    if view.problem:
        parts.append("its last change was refused, `jobrun cron check` says why")
    if paused := view.paused(now):
        parts.append(f"paused: {listed(paused, most=SHOWN)}")
    if coming is not None and view.scheduler is not None:
        parts.append(f"next: {coming.entry.name} {distance(coming.occurrence.at, now)}")
    return f"cron: {'; '.join(parts)}"


def scheduler_of(view: TableView) -> str:
    """Say who schedules a table."""
    if view.scheduler is None:
        return "no scheduler is running"
    return f"scheduler pid {view.scheduler.pid}"
