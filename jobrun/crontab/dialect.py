"""Schedules as crontabs have them, written as ours."""

from __future__ import annotations

import re

from jobrun.cron.schedule import parse_schedule
from jobrun.errors import UsageError

_DRAWN = re.compile(r"([0-9]*)~([0-9]*)((?:/[0-9]+)?)")  # cronie's and OpenBSD's random value
_ENDS = (("0", "59"), ("0", "23"), ("1", "28"), ("1", "12"), ("0", "6"))


def as_schedule(when: str) -> str:
    """Return a schedule of a crontab in our dialect: `a~b`, drawn at each start there, is hashed here.

    >>> as_schedule("0~30 ~ * * *")
    'H(0-30) H * * *'
    """
    if "~" not in when or when.startswith("@"):
        return when
    fields = when.split(" ")
    return " ".join(_hashed(field, *ends) for field, ends in zip(fields, _ENDS, strict=True))


def is_drawn(when: str) -> bool:
    """Tell whether cron would choose some of a schedule at random."""
    return "~" in when


def reads_as_schedule(when: str) -> bool:
    """Tell whether our dialect has a meaning for a schedule of a crontab."""
    try:
        parse_schedule(as_schedule(when))
    except UsageError:
        return False
    return True


def _hashed(field: str, low: str, high: str) -> str:
    def written(drawn: re.Match[str]) -> str:
        first, last, step = drawn.groups()
        return f"H({first or low}-{last or high}){step}" if first or last else f"H{step}"

    return ",".join(
        _DRAWN.sub(written, part) if _DRAWN.fullmatch(part) else part for part in field.split(",")
    )
