"""What a time that a person writes means; clock and zone are arguments.

A time of day that a change of the clocks skips, or repeats, is never guessed: the error says so, and
what to write instead.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from jobrun.errors import UsageError

WHEN_HINT = "forms: 2027-03-14T02:30:00Z, 2027-03-14 02:30, 18:00, tomorrow 06:30"

_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)"
    r"([Zz]| UTC|[+-][0-9]{2}:[0-9]{2}| [A-Z]{3,5}| [+-][0-9]{2,4})?"
)
_TIME_OF_DAY = re.compile(r"(tomorrow )?([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_DAY = timedelta(days=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class SkippedTime(UsageError):
    """A local time that a change of the clocks skips; `wall` is that time, naive."""

    def __init__(self, wall: datetime, zone: tzinfo) -> None:
        super().__init__(
            f"time `{_text(wall)}` does not exist in {zone}: the clocks go forward",
            hint=f"give an offset, such as {_text(wall)}{_offset(wall, zone, 1)}",
        )
        self.wall = wall


def parse_when(text: str, now: datetime, zone: tzinfo, *, is_past: bool = False) -> datetime:
    """Return the instant that `text` names, seen at `now` by somebody who lives in `zone`.

    A time of day is the next one, or the last one for somebody who asks what happened (`is_past`). Raises
    `UsageError` for what is no time, and for a local time that exists twice, and its kind `SkippedTime` for
    one that does not exist.

    >>> now = datetime(2027, 1, 1, 12, tzinfo=UTC)
    >>> parse_when("06:30", now, UTC).isoformat()
    '2027-01-02T06:30:00+00:00'
    >>> parse_when("06:30", now, UTC, is_past=True).isoformat()
    '2027-01-01T06:30:00+00:00'
    """
    try:
        if match := _TIME_OF_DAY.fullmatch(text):
            is_tomorrow, hour, minute, second = match.groups()
            instant = _time_of_day(
                now.astimezone(zone),
                time(int(hour), int(minute), int(second or 0)),
                is_tomorrow=is_tomorrow is not None,
                is_past=is_past,
            )
        else:
            instant = _date_and_time(text, zone)
        is_in_range = _EARLIEST <= instant < _LATEST
    except OverflowError:
        is_in_range = False
    except ValueError:
        raise UsageError(f"time `{text}` is not understood", hint=WHEN_HINT) from None
    if not is_in_range:
        raise UsageError(f"time `{text}` is outside 1970-2200")
    return instant


def _date_and_time(text: str, zone: tzinfo) -> datetime:
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, clock, offset = match.groups()
    if offset is None:
        return _only_instant(datetime.fromisoformat(f"{day}T{clock}"), zone)
    if offset.startswith(" ") and offset != " UTC":
        return _instant_called(datetime.fromisoformat(f"{day}T{clock}"), zone, offset[1:])
    return datetime.fromisoformat(f"{day}T{clock}{offset.upper().replace(' UTC', 'Z')}").astimezone(UTC)


def _instant_called(wall: datetime, zone: tzinfo, name: str) -> datetime:
    """Return the instant at which `zone` has this time under this name, as CEST. Raises `ValueError`."""
    for instant in _readings(wall, zone):
        here = instant.astimezone(zone)
        if here.replace(tzinfo=None) == wall and here.tzname() == name:
            return instant
    raise ValueError(name)


def _time_of_day(here: datetime, clock: time, *, is_tomorrow: bool, is_past: bool) -> datetime:
    """Return the next such time after `here`, or the last one, or that of the next day."""
    wall = datetime.combine(here, clock)
    zone = here.tzinfo
    assert zone is not None
    readings = _readings(wall, zone)
    if is_tomorrow or (not is_past and max(readings) <= here):
        wall += _DAY
    elif is_past and min(readings) > here:
        wall -= _DAY
    return _only_instant(wall, zone)


def _only_instant(wall: datetime, zone: tzinfo) -> datetime:
    first, second = _readings(wall, zone)
    if first == second:
        return first
    if first > second:  # a gap: the later offset is the larger one (PEP 495)
        raise SkippedTime(wall, zone)
    raise UsageError(
        f"time `{_text(wall)}` happens twice in {zone}: the clocks go back",
        hint=f"give {_text(wall)}{_offset(wall, zone, 0)} or {_text(wall)}{_offset(wall, zone, 1)}",
    )


def _readings(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the two instants that a wall clock may mean; they differ only near a change of the clocks."""
    return (
        wall.replace(tzinfo=zone, fold=0).astimezone(UTC),
        wall.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )


def _text(wall: datetime) -> str:
    return wall.isoformat(timespec="auto" if wall.second or wall.microsecond else "minutes")


def _offset(wall: datetime, zone: tzinfo, fold: int) -> str:
    shown = f"{wall.replace(tzinfo=zone, fold=fold):%z}"
    return f"{shown[:3]}:{shown[3:5]}"
