"""Instants as people say them."""

from __future__ import annotations

from datetime import datetime

from jobrun.cli.caller import zone_to_show
from jobrun.units import distance, wall

__all__ = ["both", "distance", "local", "wall"]


def local(then: datetime, *, timespec: str = "seconds") -> str:
    """Return an instant in the zone of the person who looks, to the second unless told otherwise, with its offset."""
    return then.astimezone(zone_to_show()).isoformat(sep=" ", timespec=timespec)


def both(then: datetime | None, now: datetime) -> str:
    """Return an instant exactly and by its distance; nothing for None."""
    return "" if then is None else f"{local(then)} ({distance(then, now)})"
