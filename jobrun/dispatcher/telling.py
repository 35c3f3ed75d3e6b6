"""What a round has committed, applied to the seats and said to those who wait for it."""

from __future__ import annotations

from jobrun.dispatcher import lines
from jobrun.dispatcher.books import News, Told
from jobrun.dispatcher.order import OrderBook
from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.seating import Seating
from jobrun.dispatcher.settings import World
from jobrun.log import Log
from jobrun.model import Job
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Noted, Settled


class Teller:
    """Tells workers and supervisor what they may count on."""

    def __init__(self, seats: Seating, orders: OrderBook, control: Channel, world: World, log: Log) -> None:
        self._seats = seats
        self._orders = orders
        self._control = control
        self._world = world
        self._log = log

    def tell(self, news: News, told: Told) -> None:
        """Apply what is committed, and say it; first to who may have nothing to do."""
        for seat, tokens in news.over().items():
            seat.drop(tokens, now=self._world.now(), monotonic=self._world.monotonic())
        for job in told.claimed:
            assert job.worker is not None
            seat = self._seats.by_name[job.worker]
            seat.take(job, now=self._world.now(), monotonic=self._world.monotonic())
            self.hand_out(seat, job)
            if (line := lines.of_begin(job)) is not None:
                told.lines.append(line)
        for seat, answer in told.answers:
            self._seats.send(seat, answer)
        for seat, tokens in news.settled().items():
            self._seats.send(seat, Settled(tokens=tokens))
        for gone in news.gone:
            self._seats.dismiss(gone.name)
            self._control.send(Noted(name=gone.name))
        for line in told.lines:
            self._log.say(line.event, line.text, **line.ids)

    def hand_out(self, seat: Seat, job: Job) -> None:
        """Order a worker to run a job."""
        self._seats.hand_out(seat, self._orders.order_of(job))
