"""The dispatcher's loop: hear what happened, commit it together with new claims, then tell.

    wait --> hear --> commit --> tell --> enforce limits --> housekeeping --.
     ^                                                                      |
     `----------------------------------------------------------------------'

Facts that were heard are forgotten only after the COMMIT that holds them; nothing is told before it.
"""

from __future__ import annotations

import select
from functools import lru_cache

from jobrun.bell import Listener, Tone
from jobrun.dispatcher.books import Books, News, Told
from jobrun.dispatcher.housekeeping import Housekeeping
from jobrun.dispatcher.limits import Limits
from jobrun.dispatcher.order import order_of
from jobrun.dispatcher.recovery import is_replaced
from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.settings import Settings, World
from jobrun.errors import Busy, JobFileUnusable, JobrunError, NoRoom
from jobrun.locks.records import read_record
from jobrun.log import Log
from jobrun.model import Job
from jobrun.paths import side_dir
from jobrun.store import Store, check_for_workers, open_store
from jobrun.wire.channel import Channel, Unreadable, attach
from jobrun.wire.messages import (
    Ask,
    Drained,
    Ended,
    Gone,
    Greeting,
    Hello,
    Hired,
    Leave,
    Message,
    Noted,
    Opened,
    Run,
    Settled,
    Shutdown,
)

SAFETY_S = 1.0  # the longest sleep, should a ring be lost or the clock be set
PATIENCE_S = 10.0  # for the write lock
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 5.0  # while the disk is full or the file is locked


def run(settings: Settings, control: Channel, world: World) -> int:
    """Serve a group of workers until the supervisor hangs up; return the exit code of the process."""
    log = Log("dispatcher")
    try:
        store = open_store(settings.path, create=True, patience_s=PATIENCE_S)
        check_for_workers(settings.path)
    except JobrunError as error:
        log.refuse(error)
        return error.exit_code
    if store.created:
        log.say(f"made a job file at {settings.path}")
    try:
        with store:
            Desk(settings, store, control, world, log).run()
    except JobrunError as error:
        log.say(f"{error.message}{f'; {error.hint}' if error.hint else ''}")
        return error.exit_code
    return 0


class Desk:
    """The dispatcher of one group."""

    def __init__(self, settings: Settings, store: Store, control: Channel, world: World, log: Log) -> None:
        self._settings = settings
        self._store = store
        self._control = control
        self._world = world
        self._log = log
        self._side = side_dir(settings.path)
        self._opened = settings.path.stat()
        self._seats: dict[str, Seat] = {}
        self._news = News()
        self._books = Books(settings, store, world)
        self._limits = Limits(settings, control, world)
        self._housekeeping = Housekeeping(store, log, world, keep_s=settings.keep_s)
        self._bell = Listener(self._side, Tone.WORK)
        self._poll = select.poll()
        self._pause_s = 0.0
        self._paused_until = 0.0
        self._is_open = True
        self._is_drained = False
        self._is_noted = False  # that we shut down
        self._environment = lru_cache(maxsize=64)(store.ledger.environment)

    def run(self) -> None:
        """Serve until the supervisor hangs up."""
        for end in (self._control, self._bell):
            self._poll.register(end.fileno(), select.POLLIN)
        self._control.send(Opened())
        while self._is_open:
            self.step()
            self._poll.poll(self._timeout_s() * 1000)
        self._housekeeping.close()
        self._bell.close()

    def step(self) -> None:
        """Go once round: all that can be done now is done."""
        self._bell.drain()
        self._hear()
        if self._world.monotonic() >= self._paused_until:
            self._work()
        self._limits.enforce(self._seats.values())
        self._drain()

    def _work(self) -> None:
        """Commit what is new and claim what is due; on a full disk keep all of it for later."""
        try:
            self._note_shutdown()
            self._commit()
            self._look_for_cancels()
            self._housekeeping.do_round(self._seats.values(), monotonic=self._world.monotonic())
        except (NoRoom, Busy) as error:
            before_s = self._pause_s
            self._pause_s = min(max(before_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            self._paused_until = self._world.monotonic() + self._pause_s
            if self._pause_s != before_s:
                self._log.say(f"{error.message}; trying again in {self._pause_s:.0f} s")
            return
        self._pause_s = 0.0
        if is_replaced(self._settings.path, self._opened):
            raise JobFileUnusable(f"`{self._settings.path}` was replaced or removed under the workers")

    def _note_shutdown(self) -> None:
        """Write down that the group stops: what dies from here on was interrupted."""
        if self._limits.is_stopping and not self._is_noted:
            self._store.workers.stopping(list(self._seats), now=self._world.now())
            self._is_noted = True

    def _hear(self) -> None:
        try:
            while (message := self._control.receive()) is not None:
                self._hear_supervisor(message)
        except EOFError:
            self._is_open = False
        for seat in self._seats.values():
            self._hear_seat(seat)

    def _hear_supervisor(self, message: Message) -> None:
        match message:
            case Hired():
                self._seat(message)
            case Gone() if message.name not in self._seats:
                self._control.send(Noted(name=message.name))
            case Gone() if all(message.name != known.name for known in self._news.gone):
                self._news.gone.append(message)
            case Shutdown():
                self._limits.shut_down(hurry=message.hurry)

    def _seat(self, hired: Hired) -> None:
        channel = attach(self._control.take_descriptor(), self._side / "spool")
        if hired.name in self._seats:
            channel.close()
            return
        seat = Seat(name=hired.name, number=hired.number, pid=hired.pid, channel=channel)
        self._seats[hired.name] = seat
        self._news.hired.append((seat, hired))
        self._poll.register(channel.fileno(), select.POLLIN)
        self._find_running(seat)
        self._send(seat, Greeting(generation=self._settings.generation))

    def _hear_seat(self, seat: Seat) -> None:
        try:
            while (message := seat.channel.receive()) is not None:
                match message:
                    case Hello() if message.generation == self._settings.generation:
                        self._greet(seat, message)
                    case Ended():
                        self._news.ended.append((seat, message))
                    case Ask():
                        self._news.asked.append((seat, message))
            seat.channel.flush()
        except Unreadable as error:
            self._log.say(str(error))
            self._send(seat, Greeting(generation=self._settings.generation))  # it sends again what it has
        except (EOFError, OSError):
            self._unregister(seat)  # no death: the supervisor tells of that

    def _greet(self, seat: Seat, hello: Hello) -> None:
        """Learn what a worker does; hand out again what a dead dispatcher claimed but never handed out."""
        seat.is_greeted = True
        if self._is_drained and seat.job is None:
            self._send(seat, Leave())  # hired while the group came to its end
        if seat.job is not None and seat.job.token not in hello.unsettled:
            self._send(seat, self._order(seat.job))

    def _commit(self) -> None:
        if self._news or (self._wants_jobs() and self._books.is_something_due()):
            stopping = self._limits.is_stopping
            claims = not stopping and not self._is_drained
            self._tell(self._books.commit(self._news, self._seats, claims=claims, is_stopping=stopping))

    def _wants_jobs(self) -> bool:
        is_ending = self._limits.is_stopping or self._is_drained
        return not is_ending and any(seat.is_free for seat in self._seats.values())

    def _tell(self, told: Told) -> None:
        """Apply what is committed, and say it to those who wait for it."""
        news, self._news = self._news, News()
        for seat, ended in news.ended:
            if seat.runs(ended.token):
                seat.end()
            self._send(seat, Settled(token=ended.token))
        for seat, answer in told.answers:
            self._send(seat, answer)
        for gone in news.gone:
            self._dismiss(gone)
        for job in told.claimed:
            self._hand_out(job)
        for line in told.lines:
            self._log.say(line)

    def _find_running(self, seat: Seat) -> None:
        """Take over what a worker does for a dispatcher that died, before it is heard."""
        record = read_record(self._side / "locks" / seat.name)
        monotonic = self._world.monotonic()
        for job in self._store.endings.running([seat.name]):
            is_begun = record is not None and record.token == job.token
            used_s = monotonic - record.began if record is not None and is_begun else 0.0
            seat.begin(job, now=self._world.now(), monotonic=monotonic, used_s=used_s)

    def _dismiss(self, gone: Gone) -> None:
        seat = self._seats.pop(gone.name)
        self._unregister(seat)
        seat.channel.close()
        self._control.send(Noted(name=gone.name))

    def _hand_out(self, job: Job) -> None:
        assert job.worker is not None
        seat = self._seats[job.worker]
        seat.begin(job, now=self._world.now(), monotonic=self._world.monotonic())
        self._send(seat, self._order(job))

    def _order(self, job: Job) -> Run:
        captured = {} if job.environment is None else self._environment(job.environment)
        row = None if job.entry is None else self._store.entries.get(job.entry)
        return order_of(
            job,
            grace_s=self._settings.grace_s,
            environment=captured,
            last_success_at=None if row is None else row.last_success_at,
        )

    def _look_for_cancels(self) -> None:
        orders = self._store.endings.to_cancel()
        if orders:
            self._limits.cancel(self._seats.values(), orders)

    def _drain(self) -> None:
        """Let the group end once nothing runs, nothing is unsettled, and nothing more will be claimed."""
        if self._is_drained or self._news or any(seat.job is not None for seat in self._seats.values()):
            return
        if not (self._limits.is_stopping or self._is_burst_over()):
            return
        self._is_drained = True
        self._control.send(Drained())  # first, or a worker that leaves would be replaced
        for seat in self._seats.values():
            self._send(seat, Leave())

    def _is_burst_over(self) -> bool:
        is_full = len(self._seats) >= self._settings.workers and all(
            s.is_greeted for s in self._seats.values()
        )
        return self._settings.burst and is_full and not self._books.is_something_due()

    def _timeout_s(self) -> float:
        monotonic = self._world.monotonic()
        if monotonic < self._paused_until:
            return min(self._paused_until - monotonic, SAFETY_S)
        waits = [SAFETY_S, *(at - monotonic for at in self._limits.due(self._seats.values()))]
        due_at = self._store.queue.next_due()
        if due_at is not None and self._wants_jobs():
            waits.append((due_at - self._world.now()).total_seconds())
        return max(min(waits), 0.0)

    def _send(self, seat: Seat, message: Message) -> None:
        try:
            seat.channel.send(message)
        except OSError:
            self._unregister(seat)  # its worker is dying; the supervisor will say so

    def _unregister(self, seat: Seat) -> None:
        try:
            self._poll.unregister(seat.channel.fileno())
        except (KeyError, ValueError):
            return
