"""The two day fields of a cron expression, read as one day rule."""

from __future__ import annotations

import re
from functools import lru_cache

from jobrun.cron.ranges import DAY, WEEKDAY, Field, number_of, numbers_of
from jobrun.cron.words import DayRule
from jobrun.errors import UsageError

STARS = ("*", "?")

_BEFORE_LAST = re.compile(r"L-([0-9]+)")
_NEAREST = re.compile(r"([0-9]+)W")
_NTH = re.compile(r"([0-9A-Z]+)#([0-9]+)")
_LAST = re.compile(r"([0-9]|[A-Z]{3})L|L([0-9]|[A-Z]{3})")


@lru_cache(maxsize=4096)
def day_rule(dates: str, weekdays: str, salt: str) -> DayRule:
    """Read both fields, in upper case.

    They are joined by AND as soon as one *begins* with a star, so that `*/2` counts, else by OR (cronie,
    entry.c, DOM_STAR and DOW_STAR).

    Raises `UsageError` naming field, value and reason.
    """
    plain: set[int] = set()
    from_end: set[int] = set()
    nearest: set[int] = set()
    for part in _parts(dates, DAY):
        if match := _BEFORE_LAST.fullmatch(part):
            from_end.add(number_of(match[1], DAY))
        elif match := _NEAREST.fullmatch(part):
            nearest.add(number_of(match[1], DAY))
        elif part == "L":
            from_end.add(0)
        elif part != "LW":
            plain.update(numbers_of(part, DAY, salt))
    days, nth, last = _weekdays(weekdays, salt)
    return DayRule(
        dates=frozenset(plain),
        from_end=frozenset(from_end),
        nearest=frozenset(nearest),
        is_last_workday="LW" in dates.split(","),
        weekdays=frozenset(days),
        nth_weekdays=frozenset(nth),
        last_weekdays=frozenset(last),
        needs_both=dates.startswith(STARS) or weekdays.startswith(STARS),
    )


def _weekdays(text: str, salt: str) -> tuple[set[int], set[tuple[int, int]], set[int]]:
    """Return the plain weekdays, those counted from the start of a month, and those that are its last."""
    plain: set[int] = set()
    nth: set[tuple[int, int]] = set()
    last: set[int] = set()
    for part in _parts(text, WEEKDAY):
        if part == "L":
            raise UsageError("weekday `L` names no day: write 5L for the last Friday")
        if match := _NTH.fullmatch(part):
            if not 1 <= int(match[2]) <= 5:
                raise UsageError(f"weekday `{part}`: a month has a 1st to a 5th of them")
            nth.add((number_of(match[1], WEEKDAY) % 7, int(match[2])))
        elif match := _LAST.fullmatch(part):
            last.add(number_of(match[1] or match[2], WEEKDAY) % 7)
        else:
            plain.update(number % 7 for number in numbers_of(part, WEEKDAY, salt))
    return plain, nth, last


def _parts(text: str, field: Field) -> list[str]:
    """Split a field at its commas; `?` is another spelling of the star."""
    parts = text.split(",")
    if "?" in parts and parts != ["?"]:
        raise UsageError(f"{field.name} `{text}`: `?` stands alone")
    return ["*"] if parts == ["?"] else parts
