"""One entry in full."""

from __future__ import annotations

from datetime import datetime

from jobrun.actions.why import EntryStory
from jobrun.cli import render, tables
from jobrun.cli.caller import zone_of
from jobrun.cli.cronpages import scheduler_of
from jobrun.cli.human import distance, wall
from jobrun.cron.words import Coming, EntryRow
from jobrun.units import format_duration, plural


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
            ("scheduler", scheduler_of(story.table).removeprefix("scheduler ")),
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
