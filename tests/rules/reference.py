"""Cron, read and walked minute by minute: slow, plain, and sharing nothing with `jobrun.cron`.

It is what the rules say, written down once more: crontab(5) and cronie's entry.c for the days, cron(8) of Debian
for the changes of the clocks. It reads what is valid and does not notice what is not.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LOOKS_BACK = timedelta(hours=25)  # no clock goes back by more
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@dataclass(frozen=True)
class Reading:
    minutes: set[int]
    hours: set[int]
    months: set[int]
    is_day: Callable[[date], bool]
    is_fixed: bool

    def shows(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and self.on(wall.date())

    def on(self, day: date) -> bool:
        return day.month in self.months and self.is_day(day)


@dataclass(frozen=True)
class Run:
    at: datetime
    moved_from: datetime | None = None


def read(text: str) -> Reading:
    """Read five valid fields."""
    minute, hour, dom, month, dow = text.upper().split()

    def is_day(day: date) -> bool:
        by_date = any(_dated(part, day) for part in dom.split(","))
        by_weekday = any(_weekly(part, day) for part in dow.split(","))
        if dom[0] in "*?" or dow[0] in "*?":
            return by_date and by_weekday
        return by_date or by_weekday

    return Reading(
        minutes=_all(minute, 0, 59),
        hours=_all(hour, 0, 23),
        months=_all(month, 1, 12, MONTHS),
        is_day=is_day,
        is_fixed=minute[0] != "*" and hour[0] != "*",
    )


def runs(text: str, zone: tzinfo, after: datetime, until: datetime) -> Iterator[Run]:
    """Yield what runs later than `after`, up to `until`; both are whole minutes of UTC."""
    reading = read(text)
    instant = after
    latest = _latest(instant, zone)
    while (instant := instant + MINUTE) <= until:
        wall = _wall(instant, zone)
        if reading.is_fixed:
            skipped = int((wall - latest) / MINUTE) - 1  # minutes that no clock has shown
            missed = [latest + (1 + n) * MINUTE for n in range(skipped) if 0 < skipped <= 180]
            moved = [each for each in missed if reading.shows(each)]
            if moved:
                yield Run(instant, moved[0])
            elif wall > latest and reading.shows(wall):
                yield Run(instant)
        elif reading.shows(wall):
            yield Run(instant)
        latest = max(latest, wall)
        if not _near(reading, instant, zone):
            instant += DAY
            latest = _latest(instant, zone)


def next_run(text: str, zone: tzinfo, after: datetime, until: datetime) -> Run | None:
    """Return the first run later than `after`, None if it would be later than `until`."""
    return next(runs(text, zone, after, until), None)


def _near(reading: Reading, instant: datetime, zone: tzinfo) -> bool:
    """Say whether any date that begins, ends or is skipped within the next day matches."""
    day, last = _wall(instant, zone).date(), _wall(instant + DAY + MINUTE, zone).date()
    while day <= last:
        if reading.on(day):
            return True
        day += DAY
    return False


def _latest(instant: datetime, zone: tzinfo) -> datetime:
    """Return the highest time that the clock has shown by now."""
    back = range(int(LOOKS_BACK / MINUTE))
    if instant.astimezone(zone).utcoffset() == (instant - LOOKS_BACK).astimezone(zone).utcoffset():
        back = range(1)
    return max(_wall(instant - n * MINUTE, zone) for n in back)


def _wall(instant: datetime, zone: tzinfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _dated(part: str, day: date) -> bool:
    last = monthrange(day.year, day.month)[1]
    if part == "L":
        return day.day == last
    if part.startswith("L-"):
        return day.day == last - int(part[2:])
    if part.endswith("W"):
        wanted = last if part == "LW" else int(part[:-1])
        workdays = [n for n in range(1, last + 1) if day.replace(day=n).isoweekday() <= 5]
        return wanted <= last and day.day == min(workdays, key=lambda n: (abs(n - wanted), n))
    return day.day in _values("*" if part == "?" else part, 1, 31)


def _weekly(part: str, day: date) -> bool:
    weekday = day.isoweekday() % 7
    if "#" in part:
        name, _, nth = part.partition("#")
        return weekday in _values(name, 0, 7, WEEKDAYS) and (day.day - 1) // 7 + 1 == int(nth)
    if part.strip("L") != part:
        return weekday in _values(part.strip("L"), 0, 7, WEEKDAYS) and (day + 7 * DAY).month != day.month
    values = _values("*" if part == "?" else part, 0, 7, WEEKDAYS)
    return weekday in values or (weekday == 0 and 7 in values)


def _all(text: str, low: int, high: int, names: list[str] | None = None) -> set[int]:
    return set().union(*(_values(part, low, high, names) for part in text.split(",")))


def _values(part: str, low: int, high: int, names: list[str] | None = None) -> set[int]:
    def number(word: str) -> int:
        return names.index(word) + low if names and word in names else int(word)

    span, _, step = part.partition("/")
    if span == "*":
        first, last = low, high
    else:
        start, dash, end = span.partition("-")
        first = number(start)
        last = number(end) if dash else (high if step else first)
        if dash and names is WEEKDAYS and last == 0 < first:
            last = 7
    found = set(range(first, last + 1, int(step or 1)))
    return {n % 7 for n in found} if names is WEEKDAYS else found
