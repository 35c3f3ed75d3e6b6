"""The pause of a queue, in words."""

from __future__ import annotations

from datetime import datetime

from jobrun.cli.human import both, distance
from jobrun.measures import Pause


def paused(pause: Pause, now: datetime) -> str:
    """Return who paused a queue and when, until when, and why."""
    since = distance(min(pause.since, now), now)
    return f"queue {pause.queue} paused by {pause.by} {since}, {end_of(pause, now)}{_why(pause)}"


def begun(pause: Pause, now: datetime) -> str:
    """Return what was done to a queue that was paused just now."""
    return f"queue {pause.queue} is paused {end_of(pause, now)}{_why(pause)}"


def end_of(pause: Pause, now: datetime) -> str:
    """Return when a pause ends, or what ends it."""
    return (
        f"until `jobrun resume {pause.queue}`" if pause.until is None else f"until {both(pause.until, now)}"
    )


def _why(pause: Pause) -> str:
    return f": {pause.reason}" if pause.reason else ""
