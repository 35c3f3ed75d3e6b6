"""What one change of the clocks will do to the runs of a schedule, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from functools import lru_cache

from jobrun.cron.clocks import Change
from jobrun.cron.days import dates
from jobrun.cron.occurrences import LARGEST_SHIFT
from jobrun.cron.words import Dst, Expression

_NOTHING = timedelta(0)


@lru_cache(maxsize=4096)
def effect_of(change: Change, expression: Expression, dst: Dst) -> str | None:
    """Say which run is moved, left out or doubled; None where the runs are those of any other day.

    What follows elapsed time is only told when a whole day's runs are left out.
    """
    days = _days_of(change, expression)
    walls = list(_within(change, expression, days))
    if not walls:
        return None
    on = f"on {change.begin:%Y-%m-%d}"
    is_all = len(walls) == len(days) * len(expression.hours) * len(expression.minutes)
    if change.shift < _NOTHING:
        is_twice = dst is Dst.WALL and not expression.is_wildcard
        return f"{on} it runs twice at {_span(walls)}: {change.in_words}" if is_twice else None
    if expression.is_wildcard or dst is not Dst.VIXIE or change.shift > LARGEST_SHIFT:
        if expression.is_wildcard and not is_all:
            return None
        return f"{on} it will not run at {'all' if is_all else _span(walls)}: {change.in_words}"
    if len(walls) == 1:
        return f"{on} the {walls[0]:%H:%M} run moves to {change.end:%H:%M}"
    return f"{on} the runs from {_span(walls)} become one at {change.end:%H:%M}"


def _days_of(change: Change, expression: Expression) -> list[datetime]:
    """Return the matching days that the change touches, each as its midnight."""
    days = []
    for day in dates(expression.months, expression.days, change.begin.date()):
        midnight = datetime.combine(day, time.min)
        if midnight >= change.end:
            break
        days.append(midnight)
    return days


def _within(change: Change, expression: Expression, days: Sequence[datetime]) -> Iterator[datetime]:
    """Yield the local times that the change skips or repeats."""
    for day in days:
        for hour in expression.hours:
            if change.begin - timedelta(hours=1) < (on_the_hour := day.replace(hour=hour)) < change.end:
                walls = (on_the_hour.replace(minute=minute) for minute in expression.minutes)
                yield from (wall for wall in walls if change.begin <= wall < change.end)


def _span(walls: Sequence[datetime]) -> str:
    first, last = f"{walls[0]:%H:%M}", f"{walls[-1]:%H:%M}"
    return first if first == last else f"{first} to {last}"
