"""Which entry falls due next."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from jobrun.cron.occurrences import upcoming
from jobrun.cron.words import Entry, EntryRow, Occurrence


class Timetable:
    """The next occurrence of each entry, the earliest first."""

    def __init__(self, entries: Mapping[str, Entry], rows: Mapping[str, EntryRow]) -> None:
        """Begin where the last decision of each entry ended."""
        self.entries = entries
        self._anchors = {name: rows[name].anchor for name in entries}
        self._heap: list[tuple[datetime, str]] = []
        for name in entries:
            self._push(name, rows[name].done_until)

    def after(self, name: str, instant: datetime) -> Iterator[Occurrence]:
        """Yield the occurrences of an entry strictly after an instant."""
        return upcoming(self.entries[name], instant, anchor=self._anchors[name])

    def next_at(self) -> datetime | None:
        """Return when something falls due, or None if nothing ever does."""
        return self._heap[0][0] if self._heap else None

    def first(self) -> tuple[datetime, str] | None:
        """Return when the next enabled entry falls due, and its name."""
        enabled = [(at, name) for at, name in self._heap if self.entries[name].is_enabled]
        return min(enabled, default=None)

    def take_due(self, now: datetime, *, most: int) -> list[str]:
        """Take entries that are due off the timetable, the earliest first; each is to be put back."""
        names: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(names) < most:
            names.append(heapq.heappop(self._heap)[1])
        return names

    def put_back(self, names: Iterable[str], *, served_at: datetime) -> None:
        """Have entries fall due again at their first occurrence after they were served."""
        for name in names:
            self._push(name, served_at)

    def put_off(self, names: Iterable[str], *, until: datetime) -> None:
        """Have entries fall due again that could not be served."""
        for name in names:
            heapq.heappush(self._heap, (until, name))

    def _push(self, name: str, after: datetime) -> None:
        coming = next(self.after(name, after), None)
        if coming is not None:
            heapq.heappush(self._heap, (coming.at, name))
