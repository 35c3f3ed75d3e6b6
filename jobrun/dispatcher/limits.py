"""Time limits, cancels and shutdowns: a job is told to end, and killed if it does not."""

from __future__ import annotations

import select
from collections.abc import Iterable, Mapping
from datetime import datetime

from jobrun.dispatcher.seat import WATCHED_MARGIN_S, Seat, is_watched
from jobrun.dispatcher.settings import Settings, World
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Kill, Nudge, Stop, Why

STOPPED_S = 2.0  # by which a sleep that nothing ended is too long for a host that is merely busy


class Limits:
    """The ladder for all seats: told (an exception in a call, TERM for a command), then killed."""

    def __init__(self, settings: Settings, control: Channel, world: World) -> None:
        self._grace_s = settings.grace_s
        self._drain_s = settings.drain_s
        self._control = control
        self._world = world
        self._drain_until: float | None = None

    @property
    def is_stopping(self) -> bool:
        return self._drain_until is not None

    def is_overdue(self) -> bool:
        """Say whether a shutdown has lasted longer than all that may run then."""
        if self._drain_until is None:
            return False
        return self._world.monotonic() >= self._drain_until + self._grace_s + WATCHED_MARGIN_S

    def shut_down(self, *, hurry: bool) -> None:
        """Let running jobs go on for the drain time, or not at all in a hurry."""
        wait_s = 0.0 if hurry else self._drain_s
        until = self._world.monotonic() + wait_s
        self._drain_until = until if self._drain_until is None else min(self._drain_until, until)

    def cancel(self, seats: Iterable[Seat], orders: Mapping[str | None, datetime]) -> list[Seat]:
        """Tell those to end whose end a person asked for; return who holds such a job in reserve."""
        if not orders:
            return []
        found = list(seats)
        for seat in found:
            if seat.first is not None and seat.first.token in orders:
                self._stop(seat, Why.CANCELLED)
        return [seat for seat in found if any(token in orders for token in seat.reserve())]

    def enforce(self, seats: Iterable[Seat]) -> None:
        """Tell and kill whatever is over its time."""
        monotonic = self._world.monotonic()
        for seat in seats:
            if seat.due_at is not None and monotonic >= seat.due_at:
                self._stop(seat, seat.due_for)
            if self._drain_until is not None and monotonic >= self._drain_until:
                self._stop(seat, Why.INTERRUPTED)
            if seat.kill_at is not None and monotonic >= seat.kill_at:
                seat.kill_at = None
                seat.is_doomed = True
                self._control.send(Kill(name=seat.name))

    def due(self, seats: Iterable[Seat]) -> list[float]:
        """Return the monotonic instants at which `enforce` has something to do."""
        instants = [at for seat in seats if (at := seat.next_at()) is not None]
        if self._drain_until is not None and any(seat.jobs and seat.why is None for seat in seats):
            instants.append(self._drain_until)
        return instants

    def rest(self, seats: Iterable[Seat], poll: select.poll, timeout_s: float) -> None:
        """Sleep until something comes, or for `timeout_s`.

        Who sleeps much longer was stopped: by a debugger, or with its whole container. So were the jobs,
        most likely, and that time counts against no limit.
        """
        begin = self._world.monotonic()
        poll.poll(timeout_s * 1000)
        slept_s = self._world.monotonic() - begin
        if slept_s - timeout_s < STOPPED_S:
            return
        for seat in seats:
            seat.grant(slept_s)
        if self._drain_until is not None:
            self._drain_until += slept_s

    def _stop(self, seat: Seat, why: Why) -> None:
        if not seat.stop(why, grace_s=self._grace_s, monotonic=self._world.monotonic()):
            return
        job = seat.first
        assert job is not None
        assert job.token is not None
        try:
            seat.channel.send(Stop(token=job.token, why=why))
        except (OSError, EOFError):
            return  # its worker is dying
        if not is_watched(job):
            self._control.send(Nudge(name=seat.name))
