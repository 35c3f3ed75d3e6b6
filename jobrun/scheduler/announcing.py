"""What a scheduler says of its table: what changed, and what comes next."""

from __future__ import annotations

from datetime import datetime

from jobrun.cron.words import Changes
from jobrun.scheduler.timetable import Timetable
from jobrun.units import format_duration, listed, plural

MOST_NAMES = 20


def changes_in_words(changes: Changes) -> list[str]:
    """Return a line for each kind of change: `+ added: a, b`."""
    kinds = (("+ added", changes.added), ("~ changed", changes.changed), ("- removed", changes.removed))
    return [f"{kind}: {listed(names, most=MOST_NAMES)}" for kind, names in kinds if names]


def coming_in_words(table: str, timetable: Timetable, now: datetime) -> str:
    """Return how many entries there are, and which falls due next."""
    entries = f"{plural(len(timetable.entries), 'entry')} of {table}"
    coming = timetable.first()
    if coming is None:
        return f"{entries}; none is due by the clock"
    at, name = coming
    here = at.astimezone().isoformat(" ", "seconds")
    if at <= now:
        return f"{entries}; now: {name} (due since {here})"
    return f"{entries}; next: {name} in {format_duration((at - now).total_seconds())} ({here})"
