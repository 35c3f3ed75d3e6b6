"""When a group may end: nothing runs, nothing is unsettled, and nothing more will be claimed."""

from __future__ import annotations

from jobrun.dispatcher.books import Books
from jobrun.dispatcher.limits import Limits
from jobrun.dispatcher.seating import Seating
from jobrun.dispatcher.settings import Settings, World
from jobrun.log import Log
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Drained


class Closing:
    """The end of a shutdown, and that of a burst."""

    def __init__(self, settings: Settings, control: Channel, world: World, books: Books, log: Log) -> None:
        self._settings = settings
        self._control = control
        self._world = world
        self._books = books
        self._log = log
        self.is_drained = False

    def look(self, seats: Seating, limits: Limits, *, has_news: bool) -> None:
        """Let the group end if it may."""
        is_busy = has_news or any(seat.jobs for seat in seats)
        if not (self.is_drained or is_busy) and (limits.is_stopping or self._is_burst_over(seats)):
            self.is_drained = True
            if not limits.is_stopping and (left := self._books.left_in_paused()):
                text = f"leaving; what waits in paused queues is left there: {', '.join(left)}"
                self._log.say("queues-left", text)
            self._control.send(Drained())  # first, or a worker that leaves would be replaced
            seats.send_home()

    def _is_burst_over(self, seats: Seating) -> bool:
        is_burst = self._settings.burst and seats.are_taken()
        return is_burst and not self._books.look().has_work(self._world.now())
