"""Cron's own reading of a schedule, apart from ours: what the new table is compared with.

The grammar is that of crontab(5) as cronie has it. Near a change of the clocks its daemon runs what had a
fixed time right after the gap and only in the first pass of a repeat; what follows the clock, with a star in
minute or hour, it runs whenever the clock shows it (cronie, cron.c, main loop). The zone's own changes are
meant; somebody who sets the clock is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

LONGEST_GAP = timedelta(hours=3)  # what jumps farther is a clock set right, and nothing is made up

_DAY = timedelta(days=1)
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_WEEKDAYS)},
)
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The bits that cron sets for an entry."""

    minutes: Sequence[int]
    hours: Sequence[int]
    dates: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    needs_both: bool  # date and weekday: one of them begins with a star
    is_fixed: bool  # neither minute nor hour begins with a star


def read(when: str) -> Reading | None:
    """Return what cron makes of a schedule; None for what is no time, drawn at random, or refused by it."""
    fields = _ALIASES.get(when, when).split(" ")
    if len(fields) != 5:
        return None
    try:
        bits = [_numbers(text, number) for number, text in enumerate(fields)]
    except ValueError:
        return None
    minute, hour, dom, _, dow = fields
    return Reading(
        minutes=sorted(bits[0]),
        hours=sorted(bits[1]),
        dates=frozenset(bits[2]),
        months=frozenset(bits[3]),
        weekdays=frozenset(day % 7 for day in bits[4]),
        needs_both=dom.startswith("*") or dow.startswith("*"),
        is_fixed=not (minute.startswith("*") or hour.startswith("*")),
    )


def runs(reading: Reading, zone: tzinfo, after: datetime, *, count: int, until: datetime) -> list[datetime]:
    """Return the first runs after an instant, at most `count` and none after `until`, in UTC and in order."""
    day = after.astimezone(zone).date() - _DAY
    found: set[datetime] = set()
    days_left = 2  # a change of the clocks may put a run among those of the day before
    while days_left and day <= until.astimezone(zone).date() + _DAY:
        if _is_day(reading, day):
            found.update(at for at in _on(reading, zone, day) if after < at <= until)
        day += _DAY
        if len(found) >= count:
            days_left -= 1
    return sorted(found)[:count]


def _numbers(text: str, field: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, high = _span(span, field)
        if (slash and not step.isdecimal()) or (slash and span != "*" and "-" not in span):
            raise ValueError(part)
        found.update(range(low, high + 1, int(step or 1)))  # a step of 0 is a ValueError
    return found


def _span(text: str, field: int) -> tuple[int, int]:
    first, last = _BOUNDS[field]
    if text == "*":
        return first, last
    begin, dash, end = text.partition("-")
    low = _number(begin, field)
    high = _number(end, field) if dash else low
    if field == 4 and dash and high == 0:
        high = 7  # fri-sun, which newer crons read
    if not first <= low <= high <= last:
        raise ValueError(text)
    return low, high


def _number(text: str, field: int) -> int:
    named = _NAMES[field].get(text.lower())
    if named is None and not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text) if named is None else named


def _is_day(reading: Reading, day: date) -> bool:
    by_date, by_weekday = day.day in reading.dates, day.isoweekday() % 7 in reading.weekdays
    is_day = (by_date and by_weekday) if reading.needs_both else (by_date or by_weekday)
    return is_day and day.month in reading.months


def _on(reading: Reading, zone: tzinfo, day: date) -> list[datetime]:
    """Return the instants of the runs that belong to a day."""
    shown = (
        datetime.combine(day, time(hour, minute)) for hour in reading.hours for minute in reading.minutes
    )
    return [at for wall in shown for at in _instants(wall, zone, is_fixed=reading.is_fixed)]


def _instants(wall: datetime, zone: tzinfo, *, is_fixed: bool) -> list[datetime]:
    """Return when cron runs what is due while the clock shows a time."""
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first == second:
        return [first]
    if first.astimezone(zone).replace(tzinfo=None) == wall:  # shown twice
        return [first] if is_fixed else [first, second]
    gap = first - second  # read with the offset before the change it is later, with the one after it earlier
    return [_end_of_gap(second, first, zone)] if is_fixed and gap <= LONGEST_GAP else []


def _end_of_gap(before: datetime, beyond: datetime, zone: tzinfo) -> datetime:
    """Return the first instant after a change of the clocks that lies between two instants."""
    offset = before.astimezone(zone).utcoffset()
    while beyond - before > timedelta(seconds=1):
        middle = before + (beyond - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            beyond = middle
    return beyond.replace(microsecond=0)
