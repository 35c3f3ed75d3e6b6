"""The days of the calendar that a day rule means."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from jobrun.cron.words import DayRule

# The longest wait that the calendar itself makes: 29 February on a given weekday, over 2100, is 40 years.
HORIZON_YEARS = 100
_LAST_YEAR = 9998
_LENGTHS = ((), (31,), (28, 29), (31,), (30,), (31,), (30,), (31,), (31,), (30,), (31,), (30,), (31,))


def dates(months: tuple[int, ...], rule: DayRule, start: date) -> Iterator[date]:
    """Yield the matching dates from `start` on, for a hundred years."""
    for year in range(start.year, min(start.year + HORIZON_YEARS, _LAST_YEAR) + 1):
        for month in months:
            if (year, month) < (start.year, start.month):
                continue
            first_weekday, length = monthrange(year, month)  # here Monday is 0
            for day in month_days(rule, length, (first_weekday + 1) % 7):
                if (found := date(year, month, day)) >= start:
                    yield found


@lru_cache(maxsize=4096)
def ever_matches(months: tuple[int, ...], rule: DayRule) -> bool:
    """Say whether any date matches: every month has begun on every weekday, in each of its lengths."""
    return any(
        month_days(rule, length, weekday)
        for month in months
        for length in _LENGTHS[month]
        for weekday in range(7)
    )


@lru_cache(maxsize=8192)
def month_days(rule: DayRule, length: int, first_weekday: int) -> tuple[int, ...]:
    """Return the matching days of a month of `length` days whose first is the given weekday."""
    by_date = _by_date(rule, length, first_weekday)
    by_weekday = _by_weekday(rule, length, first_weekday)
    return tuple(sorted(by_date & by_weekday if rule.needs_both else by_date | by_weekday))


def _by_date(rule: DayRule, length: int, first_weekday: int) -> set[int]:
    days = {day for day in rule.dates if day <= length}
    days |= {length - back for back in rule.from_end if back < length}
    days |= {_nearest_workday(day, length, first_weekday) for day in rule.nearest if day <= length}
    if rule.is_last_workday:
        days.add(_nearest_workday(length, length, first_weekday))
    return days


def _by_weekday(rule: DayRule, length: int, first_weekday: int) -> set[int]:
    days: set[int] = set()
    for day in range(1, length + 1):
        weekday = (first_weekday + day - 1) % 7
        if (
            weekday in rule.weekdays
            or (weekday, (day + 6) // 7) in rule.nth_weekdays
            or (weekday in rule.last_weekdays and day > length - 7)
        ):
            days.add(day)
    return days


def _nearest_workday(day: int, length: int, first_weekday: int) -> int:
    """Return the nearest day from Monday to Friday, without leaving the month."""
    weekday = (first_weekday + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day
