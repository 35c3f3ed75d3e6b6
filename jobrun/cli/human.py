"""Instants as people say them."""

from __future__ import annotations

from datetime import datetime, tzinfo

from jobrun.cli.caller import zone_to_show
from jobrun.units import format_duration


def distance(then: datetime, now: datetime) -> str:
    """Return how far away an instant is.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> [distance(now + timedelta(seconds=s), now) for s in (-75.3, -0.2, 30)]
    ['1m 15s ago', 'now', 'in 30s']
    """
    seconds = round((then - now).total_seconds())
    if not seconds:
        return "now"
    return f"in {format_duration(seconds)}" if seconds > 0 else f"{format_duration(-seconds)} ago"


def local(then: datetime, *, timespec: str = "seconds") -> str:
    """Return an instant in the zone of the person who looks, to the second unless told otherwise, with its offset."""
    return then.astimezone(zone_to_show()).isoformat(sep=" ", timespec=timespec)


def wall(at: datetime, zone: tzinfo, *, exact: bool = False) -> str:
    """Return what the clock shows in a zone, to the minute unless there are seconds or `exact` asks for them.

    >>> from datetime import UTC
    >>> wall(datetime(2027, 3, 14, 2, 30, tzinfo=UTC), UTC)
    '2027-03-14 02:30 UTC'
    """
    form = "%Y-%m-%d %H:%M:%S %Z" if exact or at.second else "%Y-%m-%d %H:%M %Z"
    return f"{at.astimezone(zone):{form}}"


def both(then: datetime | None, now: datetime) -> str:
    """Return an instant exactly and by its distance; nothing for None."""
    return "" if then is None else f"{local(then)} ({distance(then, now)})"
