"""The offices of a group, the scheduler and the dispatcher: who is there, who is wanting, who has the store open."""

from __future__ import annotations

from collections.abc import Iterator

from jobrun.supervisor.office import Main, Office
from jobrun.supervisor.settings import Settings
from jobrun.wire.messages import Message

FLUSH_AGAIN_S = 1.0


class Offices:
    """Those that this group has, in the order in which they open the store."""

    def __init__(
        self, settings: Settings, *, clock: tuple[Office, Main | None], desk: tuple[Office, Main]
    ) -> None:
        """A scheduler comes before all others: without a table nothing begins."""
        self._mains: dict[Office, Main] = {}
        self.clock, scheduler = clock
        self.desk, dispatcher = desk
        if scheduler is not None:
            self._mains[self.clock] = scheduler
        if settings.workers:
            self._mains[self.desk] = dispatcher
        self._opened: set[Office] = set()  # those that had the store open once

    def __iter__(self) -> Iterator[Office]:
        return iter(self._mains)

    @property
    def are_open(self) -> bool:
        """Say whether there is something to work for."""
        return self._opened.issuperset(self._mains)

    def note_open(self, office: Office) -> bool:
        """Note that one has the store open; say whether it was the last one that was waited for."""
        was_open = self.are_open
        self._opened.add(office)
        return self.are_open and not was_open

    def vacancies(self, *, is_ending: bool) -> list[Office]:
        """Return the offices that are to be filled; who has not opened yet keeps the next one waiting."""
        waiting = False
        found = []
        for office in self._mains:
            is_over = office is self.clock and is_ending
            if not (office.pid or waiting or is_over):
                found.append(office)
            waiting |= office not in self._opened
        return found

    def fill(self, office: Office) -> None:
        """Fork somebody for an office. Raises OSError when there is no room."""
        office.fill(self._mains[office])

    def with_pid(self, pid: int) -> Office | None:
        return next((office for office in self if office.pid == pid), None)

    def pids(self) -> set[int]:
        return {office.pid for office in self}

    def send(self, message: Message) -> None:
        """Say something to all that are there."""
        for office in self:
            office.send(message)

    def waits_s(self, *, is_ending: bool) -> list[float]:
        """Return for how long nobody is to be forked, and until when to send again what had no room."""
        waits = [FLUSH_AGAIN_S for office in self if not office.flush()]
        return waits + [office.left_s() for office in self.vacancies(is_ending=is_ending)]

    def close_ends(self) -> None:
        """Close our ends of what leads to them."""
        for office in self:
            if office.control is not None:
                office.control.close()
