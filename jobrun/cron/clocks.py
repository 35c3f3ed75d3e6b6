"""What a clock on a wall shows, and when: local times of a zone as instants, and back.

Everything goes by round trip and by offsets, never by the daylight-saving bit: Dublin sets it in winter,
and Lord Howe moves by half an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the offset. It skips the local times from `begin` to before `end`, or repeats them."""

    at: datetime  # UTC; the first instant with the new offset
    shift: timedelta  # by how much the clock goes forward; negative: back
    begin: datetime  # naive
    end: datetime  # naive

    @property
    def in_words(self) -> str:
        """Say from what to what the clocks are set."""
        before, after = (self.begin, self.end) if self.shift > timedelta(0) else (self.end, self.begin)
        return f"the clocks go from {before:%H:%M} to {after:%H:%M}"


def wall_time(instant: datetime, zone: tzinfo) -> datetime:
    """Return what the clock shows at an instant, naive."""
    return instant.astimezone(zone).replace(tzinfo=None)


def instants_of(wall: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return when, in UTC and in order, the clock shows a naive time: once, twice, or never in a gap."""
    readings = sorted(set(_readings(wall, zone)))
    return tuple(instant for instant in readings if wall_time(instant, zone) == wall)


def changes(zone: tzinfo, since: datetime, until: datetime) -> Iterator[Change]:
    """Yield the changes in (`since`, `until`], both in UTC; two within a day are seen as one, or not at all."""
    day = since
    while day < until:
        next_day = min(day + _DAY, until)
        if _offset(day, zone) != _offset(next_day, zone):
            yield change_between(day, next_day, zone)
        day = next_day


def change_around(wall: datetime, zone: tzinfo) -> Change:
    """Return the change that skips or repeats a local time."""
    early, late = sorted(_readings(wall, zone))  # in a gap the first reading is the later one (PEP 495)
    return change_between(early, late, zone)


def change_between(early: datetime, late: datetime, zone: tzinfo) -> Change:
    """Return the one change after `early` and not after `late`, both in UTC."""
    early, late = early.replace(microsecond=0), late.replace(microsecond=0)  # changes fall on whole seconds
    before, after = _offset(early, zone), _offset(late, zone)
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        if _offset(middle, zone) == before:
            early = middle
        else:
            late = middle
    sides = [late.replace(tzinfo=None) + offset for offset in (before, after)]
    return Change(at=late, shift=after - before, begin=min(sides), end=max(sides))


def _readings(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    return (
        wall.replace(tzinfo=zone, fold=0).astimezone(UTC),
        wall.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
