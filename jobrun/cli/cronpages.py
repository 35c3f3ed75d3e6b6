"""One entry in full, and a table at a glance."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from jobrun.actions.tables import TableView
from jobrun.actions.why import EntryStory
from jobrun.cli import render, tables
from jobrun.cli.caller import zone_of
from jobrun.cli.human import distance, wall
from jobrun.cron.words import Coming, EntryRow
from jobrun.units import format_duration, listed, plural

SHOWN = 5  # names of entries that are paused


def entry(story: EntryStory, coming: Coming | None, now: datetime, *, in_words: str) -> None:
    """Print how an entry stands."""
    row, zone = story.row, zone_of(story.row.zone_name)
    at = None if coming is None else coming.occurrence.at
    render.facts(
        [
            ("entry", row.name),
            ("runs", in_words),
            ("schedule", f"{row.schedule_text} ({row.zone_name})"),
            ("table", row.table),
            ("scheduler", _scheduler(story.table).removeprefix("scheduler ")),
            ("state", _standing(row, now)),
            ("next", "" if at is None else f"{wall(at, zone)} ({distance(at, now)})"),
        ]
    )


def ticks(story: EntryStory) -> None:
    """Print what became of the last ticks of an entry."""
    if story.ticks:
        render.line("")
        tables.ticks(story.ticks, story.jobs, zone_of(story.row.zone_name))
    else:
        render.remark(f"no tick of `{story.row.name}` has been decided yet")


def glance(view: TableView, coming: Coming | None, now: datetime) -> str:
    """Return a table in one line: who serves it, what rests, what runs next."""
    parts = [f"{plural(len(view.entries), 'entry')} of {Path(view.path).name} ({_scheduler(view)})"]
    if view.problem:
        parts.append("its last change was refused, `jobrun cron check` says why")
    if paused := view.paused(now):
        parts.append(f"paused: {listed(paused, most=SHOWN)}")
    if coming is not None and view.scheduler is not None:
        parts.append(f"next: {coming.entry.name} {distance(coming.occurrence.at, now)}")
    return f"cron: {'; '.join(parts)}"


def _scheduler(view: TableView) -> str:
    if view.scheduler is None:
        return "no scheduler is running"
    return f"scheduler pid {view.scheduler.pid}"


def _standing(row: EntryRow, now: datetime) -> str:
    """Return what keeps an entry from running, and its luck."""
    parts = []
    if row.removed_at is not None:
        parts.append(f"removed from its table {distance(row.removed_at, now)}")
    if not row.is_enabled:
        parts.append("disabled")
    if row.is_paused_at(now):
        parts.append(
            "paused" if row.paused_until is None else f"paused, ends {distance(row.paused_until, now)}"
        )
    if row.failing_since is not None:
        since = format_duration((now - row.failing_since).total_seconds())
        parts.append(f"failing for {since}, {plural(row.failed_runs, 'run')} in a row")
    return "; ".join(parts) or "enabled"
