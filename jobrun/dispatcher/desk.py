"""The dispatcher's loop: hear what happened, commit it together with new claims, then tell.

    wait --> hear --> commit --> tell --> enforce limits --> housekeeping --.
     ^                                                                      |
     `----------------------------------------------------------------------'

Facts that were heard are forgotten only after the COMMIT that holds them; nothing is told before it.
"""

from __future__ import annotations

import contextlib
import select

from jobrun.bell import Listener, Tone
from jobrun.dispatcher.aftermath import Aftermath
from jobrun.dispatcher.books import Books, News
from jobrun.dispatcher.closing import Closing
from jobrun.dispatcher.gathering import Gathering
from jobrun.dispatcher.housekeeping import Housekeeping
from jobrun.dispatcher.limits import Limits
from jobrun.dispatcher.order import OrderBook
from jobrun.dispatcher.reporting import Reporting
from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.seating import Seating
from jobrun.dispatcher.settings import Settings, World
from jobrun.dispatcher.telling import Teller
from jobrun.errors import Busy, DiskFault, JobFileUnusable, JobrunError, NoRoom
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.patience import Patience
from jobrun.store import Store
from jobrun.wire.channel import Channel, Unreadable
from jobrun.wire.messages import (
    UNASKED,
    Ask,
    Drained,
    Ended,
    Expect,
    Gone,
    Hello,
    Hired,
    Leave,
    Message,
    Noted,
    Nudge,
    Opened,
    Probe,
    Retired,
    Retiring,
    Shutdown,
)

SAFETY_S = 1.0  # the longest sleep, should a ring be lost or the clock be set


class Desk:
    """The dispatcher of one group."""

    def __init__(self, settings: Settings, store: Store, control: Channel, world: World, log: Log) -> None:
        self._settings = settings
        self._store = store
        self._control = control
        self._world = world
        self._log = log
        self._side = side_dir(settings.path)
        self._poll = select.poll()
        self._calm = select.poll()  # for which ends are heard later, all at once
        self._seats = Seating(self._side / "spool", self._poll, log, settings)
        self._news = News()
        self._books = Books(settings, store, world)
        self._teller = Teller(self._seats, OrderBook(store, grace_s=settings.grace_s), control, world, log)
        self._gathering = Gathering(self._books.pace)
        self._limits = Limits(settings, control, world)
        self._closing = Closing(settings, control, world, self._books, log)
        self._housekeeping = Housekeeping(store, log, world, settings.keep_s, settings.max_crashes)
        self._reporting = Reporting(settings, store, control)
        self._bell = Listener(self._side, Tone.WORK)
        for end in (self._control, self._bell):
            self._poll.register(end.fileno(), select.POLLIN)
            self._calm.register(end.fileno(), select.POLLIN)
        self._patience = Patience()  # while the disk is full or the file is locked
        self._is_open = True
        self._is_lost = False  # nothing can be read from the job file or written into it any more
        self._has_rung = False
        self._is_noted = False  # that we shut down

    def run(self) -> int:
        """Serve until the supervisor hangs up or is gone, or the job file is lost; return an exit code."""
        with contextlib.suppress(EOFError):  # nobody is there to be told: in a moment we are killed, too
            try:
                self._serve()
            except (JobFileUnusable, Busy) as error:
                if isinstance(error, DiskFault):
                    raise  # whoever opens the file anew may do better
                self._see_out(error)
                return error.exit_code
        return 0

    def close(self) -> None:
        for part in (self._housekeeping, self._bell, self._seats):
            part.close()

    def _serve(self) -> None:
        self._control.send(Opened())
        while self._is_open:
            self.step()
            ears = self._poll if self._gathering.until is None else self._calm
            self._limits.rest(self._seats, ears, self._timeout_s())

    def _see_out(self, error: JobrunError) -> None:
        """Let what runs end as in a shutdown, and keep beside the job file how it ended."""
        aftermath = Aftermath(error, self._side / "spool", self._seats, self._world, self._log)
        self._is_lost = True
        self._limits.shut_down(hurry=False)
        self._control.send(Drained())  # nobody is hired any more
        while self._is_open:
            self._hear()
            self._news = aftermath.take(self._news)
            self._limits.enforce(self._seats)
            if not aftermath.goes_on() or self._limits.is_overdue():
                break
            self._poll.poll(SAFETY_S * 1000)
        aftermath.tell_kept()

    def step(self) -> None:
        """Go once round: all that can be done now is done."""
        self._hear()
        if self._patience.left_s(self._world.monotonic()) <= 0 and not self._is_gathering():
            self._work()
        self._limits.enforce(self._seats)
        self._closing.look(self._seats, self._limits, has_news=bool(self._news))

    def _is_gathering(self) -> bool:
        is_wanted = self._has_rung or self._books.outlook.has_work(self._world.now())
        monotonic = self._world.monotonic()
        return self._gathering.goes_on(self._news, self._seats, is_wanted=is_wanted, monotonic=monotonic)

    def _work(self) -> None:
        """Commit what is new and claim what is due; on a full disk keep all of it for later."""
        try:
            self._note_shutdown()
            if self._news or (self._has_rung and self._wants_jobs()):
                self._commit()  # without a look first, for which somebody would wait
            self._has_rung = False
            if self._books.look().has_work(self._world.now()) and self._wants_jobs():
                self._commit()
            for seat in self._limits.cancel(self._seats, self._store.endings.to_cancel()):
                self._take_back(seat)
            self._reporting.report(self._seats, monotonic=self._world.monotonic())
            self._housekeeping.do_round(self._seats, monotonic=self._world.monotonic())
        except (NoRoom, Busy) as error:
            if self._limits.is_overdue():
                raise
            if self._patience.begin(self._world.monotonic()):
                self._log.say("file-waits", f"{error.message}; trying again until it can be done")
            return
        self._patience.end()
        self._store.check_is_in_place()

    def _note_shutdown(self) -> None:
        """Write down that the group stops: what dies from here on was interrupted."""
        if self._limits.is_stopping and not self._is_noted:
            self._store.workers.stopping(list(self._seats.by_name), now=self._world.now())
            self._is_noted = True

    def _hear(self) -> None:
        heard_from = {fd for fd, _ in self._poll.poll(0)}
        self._has_rung |= self._bell.fileno() in heard_from and self._bell.drain()
        if self._control.fileno() in heard_from:
            self._hear_supervisor()
        for seat in self._seats:
            if seat.channel.fileno() in heard_from or not seat.is_greeted:  # it may have come just now
                self._hear_seat(seat)
        self._seats.flush()
        self._take_back_what_waits()

    def _hear_supervisor(self) -> None:
        try:
            while (message := self._control.receive()) is not None:
                self._note(message)
        except EOFError:
            self._is_open = False

    def _note(self, message: Message) -> None:
        match message:
            case Hired() if not self._is_lost:
                self._admit(message)
            case Gone() if message.name not in self._seats.by_name:
                self._control.send(Noted(name=message.name))
            case Gone() if all(message.name != known.name for known in self._news.gone):
                self._note_death(message)
            case Probe():
                self._control.send(message)  # the last round has come to its end
            case Expect():
                self._seats.expected = message.workers
            case Shutdown():
                self._limits.shut_down(hurry=message.hurry)

    def _admit(self, hired: Hired) -> None:
        if (seat := self._seats.admit(hired, self._control.take_descriptor)) is not None:
            self._news.hired.append((seat, hired))
            self._books.find_running(seat)
            self._greet(seat)
            if seat.jobs:
                self._control.send(Nudge(name=seat.name))  # a call is to answer before it ends

    def _hear_seat(self, seat: Seat) -> None:
        try:
            for message in self._seats.heard(seat):
                match message:
                    case Hello() if message.generation == UNASKED:
                        self._greet(seat)
                    case Hello() if self._seats.is_answer(seat, message):
                        self._take_over(seat, message)
                    case Retiring():
                        self._retire(seat, message)
                    case Ended():
                        self._note_end(seat, message)
                    case Ask():
                        self._news.asked.append((seat, message))
        except Unreadable as error:
            self._log.say("message-lost", str(error))
            self._greet(seat)  # it sends again what it has
            self._hear_seat(seat)  # if it is dead, it does not: what came behind counts

    def _greet(self, seat: Seat) -> None:
        """Ask a worker what it does, when no order is on its way: what it does not name then has been lost."""
        self._take_back(seat)
        self._seats.greet(seat)

    def _take_over(self, seat: Seat, hello: Hello) -> None:
        """Learn what a worker does; hand out again what a dead dispatcher claimed but never handed out."""
        seat.is_greeted = True
        if self._closing.is_drained and not seat.jobs:
            self._seats.send(seat, Leave())  # hired while the group came to its end
        known = {*hello.unsettled, hello.running, *self._news.tokens()}
        for token, job in seat.jobs.items():
            if token not in known and self._is_lost:
                self._news.returned[token] = seat
            elif token not in known:
                self._teller.hand_out(seat, job)

    def _retire(self, seat: Seat, retiring: Retiring) -> None:
        seat.is_retiring = True
        self._take_back(seat)
        self._control.send(Retired(name=seat.name, reason=retiring.reason))

    def _note_end(self, seat: Seat, ended: Ended) -> None:
        self._news.ended[ended.token] = seat, ended
        seat.since = self._world.monotonic()  # what comes next begins now
        job = seat.jobs.get(ended.token)
        if job is not None and job is seat.first:
            seat.due_at = seat.kill_at = None  # it is over, however long it takes to write that down
        if job is not None and ended.ending.took_s is not None:
            self._books.pace.note((job.kind, job.task), ended.ending.took_s)

    def _note_death(self, gone: Gone) -> None:
        seat = self._seats.by_name[gone.name]
        self._hear_seat(seat)  # its last words, which may have come after we looked who has said something
        self._news.gone.append(gone)
        self._take_back(seat)

    def _take_back_what_waits(self) -> None:
        """Let no job wait behind one that takes long, or after us, and none begin in a paused queue."""
        over, paused, now = self._limits.is_stopping, self._books.outlook.paused, self._world.monotonic()
        for seat in self._seats:
            if seat.reserve() and (over or seat.is_held_up(now) or seat.holds_of(paused)):
                seat.is_stuck = True
                self._take_back(seat)

    def _take_back(self, seat: Seat) -> None:
        self._news.returned |= dict.fromkeys(self._seats.take_back(seat), seat)
        seat.since = self._world.monotonic()

    def _commit(self) -> None:
        stopping = self._limits.is_stopping
        claims = not stopping and not self._closing.is_drained
        told = self._books.commit(self._news, self._seats.by_name, claims=claims, is_stopping=stopping)
        if self._news.is_nothing_but_ends:
            self._gathering.end(monotonic=self._world.monotonic())
        news, self._news = self._news, News()
        self._teller.tell(news, told)

    def _wants_jobs(self) -> bool:
        is_ending = self._limits.is_stopping or self._closing.is_drained
        return not is_ending and any(seat.is_open and not seat.jobs for seat in self._seats)

    def _timeout_s(self) -> float:
        monotonic = self._world.monotonic()
        if self._gathering.until is not None:
            return max(self._gathering.until - monotonic, 0.0)
        pause_s = self._patience.left_s(monotonic)
        waits = [SAFETY_S, *(at - monotonic for at in self._limits.due(self._seats))]
        if pause_s > 0 or self._news:
            waits.append(pause_s)
        elif (next_at := self._books.outlook.next_at) is not None and self._wants_jobs():
            waits.append((next_at - self._world.now()).total_seconds())
        return max(min(waits), 0.0)
