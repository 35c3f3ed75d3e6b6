"""Durations, sizes, counts and instants, as people write them and as the store keeps them.

A duration is seconds in a float, a size is bytes in an int, an instant is an aware datetime in the
model and integer milliseconds UTC in the store.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from jobrun.errors import UsageError

MAX_DURATION_S = 100 * 366 * 86400.0
DURATION_HINT = "forms: 90s, 5m, 2h, 1d, 1h30m"
MILLISECOND = timedelta(milliseconds=1)  # the store knows nothing finer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(
    r"(?=[0-9])(?:([0-9]{1,9})d ?)?(?:([0-9]{1,9})h ?)?(?:([0-9]{1,9})m ?)?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,6})?)s)?(?<! )"
)
_SIZE = re.compile(r"([0-9]{1,15})(?:([KMGT])(?:i?B)?|B)?")
_SECONDS_OF = (86400, 3600, 60, 1)
_STEPS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))
_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def parse_duration(text: str) -> float:
    """Return the seconds that a text such as `90s` or `1h30m` means.

    A bare number has no unit and is refused with a `UsageError`, as is everything negative.

    >>> parse_duration("1h30m"), parse_duration("0.5s")
    (5400.0, 0.5)
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError(f"bad duration `{text}`", hint=DURATION_HINT)
    seconds = sum(float(n) * each for n, each in zip(match.groups(), _SECONDS_OF, strict=True) if n)
    if seconds > MAX_DURATION_S:
        raise UsageError(f"duration `{text}` is longer than 100 years", hint=DURATION_HINT)
    return seconds


def format_duration(seconds: float) -> str:
    """Write a duration for people, in its two largest units; `parse_duration` reads it back.

    >>> [format_duration(s) for s in (0, 0.25, 59.6, 90, 3600, 5430, 90000)]
    ['0s', '0.25s', '1m', '1m 30s', '1h', '1h 30m', '1d 1h']
    """
    if seconds < 10:
        return f"{round(seconds, 2):g}s"
    for large, large_name, small, small_name in _STEPS:
        whole = round(seconds / small) * small  # first, or 59.9 s would become 60s
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large}{large_name}" + (f" {rest}{small_name}" if rest else "")
    return f"{round(seconds)}s"


def parse_size(text: str) -> int:
    """Return the bytes that a text such as `512`, `64K`, `2GB` or `1MiB` means; units are powers of 1024.

    >>> parse_size("64K")
    65536
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"bad size `{text}`", hint="forms: 512, 64K, 10M, 1G")
    number, unit = match.groups()
    return int(number) << (10 * " KMGT".index(unit or " "))


def format_size(size: int) -> str:
    """Write a number of bytes for people.

    >>> format_size(900), format_size(2 << 20)
    ('900 B', '2.0 MiB')
    """
    amount = float(size)
    for unit in _SIZE_UNITS:
        if amount < 1024 or unit == _SIZE_UNITS[-1]:
            break
        amount /= 1024
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "job"), plural(2, "job"), plural(0, "entry")
    ('1 job', '2 jobs', '0 entries')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def listed(words: Sequence[str], *, most: int) -> str:
    """Return words in a row, and how many there are beyond the first `most`.

    >>> listed(["a", "b", "c"], most=3), listed(["a", "b", "c"], most=1)
    ('a, b, c', 'a and 2 more')
    """
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


def to_ms(instant: datetime) -> int:
    """Return the milliseconds since 1970 UTC of an aware datetime; what is finer is cut."""
    return (instant - _EPOCH) // MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return the aware datetime, in UTC, that `to_ms` turned into milliseconds."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC with milliseconds.

    >>> rfc3339(from_ms(1_500))
    '1970-01-01T00:00:01.500Z'
    """
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


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


def wall(at: datetime, zone: tzinfo, *, exact: bool = False) -> str:
    """Return what the clock shows in a zone, to the minute unless there are seconds or `exact` asks for them.

    >>> from datetime import UTC
    >>> wall(datetime(2027, 3, 14, 2, 30, tzinfo=UTC), UTC)
    '2027-03-14 02:30 UTC'
    """
    form = "%Y-%m-%d %H:%M:%S %Z" if exact or at.second else "%Y-%m-%d %H:%M %Z"
    return f"{at.astimezone(zone):{form}}"
