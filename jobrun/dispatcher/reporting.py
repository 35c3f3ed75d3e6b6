"""How a group stands, told to the supervisor for the status line of the service; only where somebody reads that."""

from __future__ import annotations

from jobrun.dispatcher.seating import Seating
from jobrun.dispatcher.settings import Settings
from jobrun.store import Store
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Report

EVERY_S = 3.0  # at most, however much happens
MOST = 1000  # ready jobs that are counted


class Reporting:
    """The last report, and when the next may be."""

    def __init__(self, settings: Settings, store: Store, control: Channel) -> None:
        self._settings = settings
        self._store = store
        self._control = control
        self._told: Report | None = None
        self._next_at = 0.0  # monotonic

    def report(self, seats: Seating, *, monotonic: float) -> None:
        """Tell what has changed; the first worker that has answered at once."""
        if not self._settings.reports or monotonic < self._next_at:
            return
        workers = sum(seat.is_greeted for seat in seats)
        if self._told is None and not workers:
            return
        ready = self._store.queue.count_ready(self._settings.queues, most=MOST)
        report = Report(
            workers=workers,
            running=sum(bool(seat.jobs) for seat in seats),
            ready=ready,
            is_more=ready >= MOST,
        )
        self._next_at = monotonic + EVERY_S
        if report != self._told:
            self._told = report
            self._control.send(report)
