"""What falls due next, of all entries of a table together."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from jobrun.cron.occurrences import upcoming
from jobrun.cron.words import Coming, Dst, Entry, EntryRow, Every, Neighbours, Occurrence, Schedule

_WINDOWS = tuple(timedelta(days=days) for days in (0.01, 1, 40, 400, 3000))  # first a short look back


class _Rhythm(NamedTuple):
    """What entries that always fall due together have in common; it is computed once for all of them."""

    schedule: Schedule
    zone_name: str
    dst: Dst
    anchor: datetime | None


def coming(entries: Iterable[Entry], rows: Mapping[str, EntryRow], after: datetime) -> Iterator[Coming]:
    """Yield what falls due later than `after`, in order.

    Intervals are counted from where a scheduler began to count them, or else from `after`.
    """
    together: dict[_Rhythm, list[Entry]] = {}
    for entry in entries:
        together.setdefault(_rhythm(entry, rows.get(entry.name)), []).append(entry)
    streams = [_occurrences(rhythm, group, after) for rhythm, group in together.items()]
    for occurrence, group in heapq.merge(*streams, key=lambda found: found[0].at):
        for entry in group:
            yield Coming(entry=entry, occurrence=occurrence, row=rows.get(entry.name))


def neighbours(entry: Entry, row: EntryRow, at: datetime, *, within: timedelta) -> Neighbours:
    """Return the occurrences about an instant, the one before of the last eight years."""
    found: list[Occurrence] = []
    for window in _WINDOWS:
        runs = coming([entry], {row.name: row}, at - window)
        found = []
        for run in runs:
            found.append(run.occurrence)
            if run.occurrence.at >= at + within:
                break
        if found and found[0].at <= at - within:
            break
    return Neighbours(
        before=next((each for each in reversed(found) if each.at <= at - within), None),
        there=min(
            (each for each in found if at - within < each.at < at + within),
            key=lambda each: abs(each.at - at),
            default=None,
        ),
        after=next((each for each in found if each.at >= at + within), None),
    )


def _rhythm(entry: Entry, row: EntryRow | None) -> _Rhythm:
    anchor = None
    if isinstance(entry.schedule, Every) and row is not None and row.schedule_text == entry.schedule_text:
        anchor = row.anchor
    return _Rhythm(entry.schedule, entry.zone_name, entry.dst, anchor)


def _occurrences(
    rhythm: _Rhythm, group: list[Entry], after: datetime
) -> Iterator[tuple[Occurrence, list[Entry]]]:
    for occurrence in upcoming(group[0], after, anchor=rhythm.anchor):
        yield occurrence, group
