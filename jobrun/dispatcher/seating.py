"""The workers of a group, and what passes between them and their dispatcher."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Iterator
from pathlib import Path

from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.settings import Settings
from jobrun.log import Log
from jobrun.wire.channel import Channel, Unreadable, attach
from jobrun.wire.messages import Greeting, Hello, Hired, Leave, Message, Run


class Seating:
    """All seats by the names of their workers; a worker that is gone keeps its seat until that is committed."""

    def __init__(self, spool: Path, poll: select.poll, log: Log, settings: Settings) -> None:
        self._spool = spool
        self._poll = poll
        self._log = log
        self._generation = settings.generation
        self.expected = settings.workers
        self.by_name: dict[str, Seat] = {}

    def __iter__(self) -> Iterator[Seat]:
        return iter(self.by_name.values())

    def admit(self, hired: Hired, descriptor: Callable[[], int]) -> Seat | None:
        """Give a worker its seat; None if it has one. `descriptor` returns the next that came with `hired`."""
        channel, orders, unread = (attach(descriptor(), self._spool) for _ in range(3))
        seat = Seat(
            name=hired.name,
            number=hired.number,
            pid=hired.pid,
            channel=channel,
            orders=orders,
            unread=unread,
        )
        if hired.name in self.by_name:
            seat.close()
            return None
        self.by_name[hired.name] = seat
        self._poll.register(channel.fileno(), select.POLLIN)
        return seat

    def dismiss(self, name: str) -> None:
        """Take away the seat of a worker that is gone."""
        seat = self.by_name.pop(name)
        self._unregister(seat.channel)
        seat.close()

    def close(self) -> None:
        """Take away all seats."""
        for seat in self:
            seat.close()

    def are_taken(self) -> bool:
        """Say whether all workers that are expected are here, and have answered."""
        return len(self.by_name) >= self.expected and all(seat.is_greeted for seat in self)

    def heard(self, seat: Seat) -> Iterator[Message]:
        """Yield what a worker has said; that one says nothing more is no death, the supervisor tells of that.

        Raises `Unreadable`.
        """
        try:
            while (message := seat.channel.receive()) is not None:
                yield message
        except (EOFError, OSError):
            self._unregister(seat.channel)

    def flush(self) -> None:
        """Send what there was no room for before."""
        for seat in self:
            with contextlib.suppress(OSError, EOFError):  # its worker is dying; the supervisor will say so
                seat.channel.flush()
                seat.orders.flush()

    def greet(self, seat: Seat) -> None:
        """Ask a worker what it does; it gets no job until it has answered."""
        seat.is_greeted = False
        seat.greetings += 1
        self.send(seat, Greeting(generation=self._generation, number=seat.greetings))

    def is_answer(self, seat: Seat, hello: Hello) -> bool:
        """Say whether a worker answers our last greeting; what it said to others is not so any more."""
        return not seat.is_greeted and (hello.generation, hello.number) == (self._generation, seat.greetings)

    def send(self, seat: Seat, message: Message) -> None:
        # Its worker may be dying; what it said before is still to be heard.
        with contextlib.suppress(OSError, EOFError):
            seat.channel.send(message)

    def hand_out(self, seat: Seat, order: Run) -> None:
        with contextlib.suppress(OSError, EOFError):  # its worker is dying, and nobody will begin this
            seat.orders.send(order)

    def take_back(self, seat: Seat) -> list[str]:
        """Return the tokens of orders that the worker has not read; it will not run them.

        The kernel gives each to one of us. Of an order whose file is gone nobody knows the token: what
        the worker says of itself then tells that it lacks it.
        """
        found: list[Message] = []
        is_lost = False
        for take in (seat.unread.receive, seat.orders.take_unsent):
            while True:
                try:
                    message = take()
                except Unreadable as error:
                    self._log.say("message-lost", str(error))
                    is_lost = True
                    continue
                if message is None:
                    break
                found.append(message)
        if is_lost:
            self.greet(seat)  # now that nothing is on its way
        return [order.token for order in found if isinstance(order, Run)]

    def send_home(self) -> None:
        """Let all leave, when free."""
        for seat in self:
            self.send(seat, Leave())

    def _unregister(self, channel: Channel) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._poll.unregister(channel.fileno())
