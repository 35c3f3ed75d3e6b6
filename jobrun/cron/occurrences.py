"""When a schedule falls due: the next occurrence after an instant.

The dates, the day rule and the changes of the clocks are decided here; croniter only steps through the hours and
minutes of a day, on naive times and on lists of numbers that are written out. Left to itself it reads `3-3` as
every hour, drops one side of `13 * FRI#2`, and runs `30 1 * * *` twice in the autumn night.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache

from croniter import croniter

from jobrun.cron.clocks import change_around, instants_of, wall_time
from jobrun.cron.days import dates
from jobrun.cron.words import Dst, Entry, Every, Expression, Occurrence, Special

LARGEST_SHIFT = timedelta(hours=3)  # a larger one is a correction of the clock (cron(8), Debian and cronie)

_MINUTE = timedelta(minutes=1)
_INSTANT = timedelta.resolution


def next_occurrence(
    expression: Expression, zone: tzinfo, after: datetime, *, dst: Dst = Dst.VIXIE
) -> Occurrence | None:
    """Return the first occurrence later than `after`, None if there is none in a hundred years.

    >>> from zoneinfo import ZoneInfo
    >>> from jobrun.cron.fields import parse_expression
    >>> berlin, eve = ZoneInfo("Europe/Berlin"), datetime(2027, 3, 27, 12, tzinfo=UTC)
    >>> print(next_occurrence(parse_expression("30 2 * * *"), berlin, eve).local)
    2027-03-28 03:00:00+02:00
    """
    if expression.is_wildcard or dst is Dst.WALL:
        return _by_the_wall(expression, zone, after)
    return _by_the_day(expression, zone, after, makes_up=dst is Dst.VIXIE)


def next_of_interval(every: Every, anchor: datetime, after: datetime) -> datetime:
    """Return the first instant later than `after` that is whole intervals away from `anchor`."""
    interval = timedelta(seconds=every.interval_s)
    return anchor + ((after - anchor) // interval + 1) * interval


def upcoming(entry: Entry, after: datetime, *, anchor: datetime | None = None) -> Iterator[Occurrence]:
    """Yield the occurrences of an entry later than `after`, in order.

    An interval is counted from `anchor`, or from `after`. What is not due by the clock has none.
    """
    schedule = entry.schedule
    if isinstance(schedule, Special):
        return
    if isinstance(schedule, Every):
        instant = after.astimezone(UTC)
        while True:
            instant = next_of_interval(schedule, (anchor or after).astimezone(UTC), instant)
            yield _occurrence(instant, entry.zone)
    found = next_occurrence(schedule, entry.zone, after, dst=entry.dst)
    while found is not None:
        yield found
        found = next_occurrence(schedule, entry.zone, found.at, dst=entry.dst)


def _by_the_day(
    expression: Expression, zone: tzinfo, after: datetime, *, makes_up: bool
) -> Occurrence | None:
    """Find the next run of a fixed time of day: a repeated time counts once, a skipped one after the gap."""
    wall = wall_time(after, zone)
    while (found := next_nominal(expression, wall)) is not None:
        instants = instants_of(found, zone)
        if instants and instants[0] > after:
            return _occurrence(instants[0], zone)
        change = change_around(found, zone)
        if not instants and makes_up and change.shift <= LARGEST_SHIFT:
            return _occurrence(change.at, zone, moved_from=found)
        wall = max(found, change.end - _INSTANT)  # nothing counts that lies within the same change
    return None


def _by_the_wall(expression: Expression, zone: tzinfo, after: datetime) -> Occurrence | None:
    """Find the next instant at which the clock shows a matching time, in whichever pass."""
    here = wall_time(after, zone)
    walls = [here]
    is_shown_again = any(instant > after for instant in instants_of(here, zone))
    if is_shown_again:  # and so are times before it: the clock will go back
        walls.append(change_around(here, zone).begin - _INSTANT)
    instants = [found for wall in walls if (found := _next_shown(expression, zone, after, wall))]
    return _occurrence(min(instants), zone) if instants else None


def _next_shown(expression: Expression, zone: tzinfo, after: datetime, wall: datetime) -> datetime | None:
    """Return the first instant later than `after` that shows the first such time later than `wall`."""
    while (found := next_nominal(expression, wall)) is not None:
        instants = instants_of(found, zone)
        if later := [instant for instant in instants if instant > after]:
            return later[0]
        wall = found if instants else max(found, change_around(found, zone).end - _INSTANT)
    return None


def _occurrence(instant: datetime, zone: tzinfo, *, moved_from: datetime | None = None) -> Occurrence:
    return Occurrence(at=instant, local=instant.astimezone(zone), moved_from=moved_from)


def next_nominal(expression: Expression, after: datetime) -> datetime | None:
    """Return the first matching local time later than `after`, naive, as if no clock were ever changed."""
    stepper = _stepper(expression.minutes, expression.hours)
    after = after.replace(second=0, microsecond=0)
    for day in dates(expression.months, expression.days, after.date()):
        start = max(after, datetime.combine(day, time.min) - _MINUTE)
        found: datetime = stepper.get_next(datetime, start_time=start)
        if found.date() == day:
            return found
    return None


@lru_cache(maxsize=1024)
def _stepper(minutes: tuple[int, ...], hours: tuple[int, ...]) -> croniter:
    """Return a croniter that is always told where to start, so that it can be shared."""
    return croniter(f"{_list(minutes, 60)} {_list(hours, 24)} * * *", datetime(2000, 1, 1))  # noqa: DTZ001 -- naive on purpose


def _list(numbers: tuple[int, ...], all_of_them: int) -> str:
    return "*" if len(numbers) == all_of_them else ",".join(map(str, numbers))
