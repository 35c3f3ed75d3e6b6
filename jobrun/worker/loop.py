"""The worker's loop: take an order, run it, keep the ending until it is settled."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType

from jobrun import locks, procs
from jobrun.errors import JobrunError, NotDone
from jobrun.locks.records import Record, write_record
from jobrun.log import Log
from jobrun.model import Added, Ending, Kind, NewJob
from jobrun.paths import side_dir
from jobrun.run import context, surroundings, tidy
from jobrun.run.call import Caller
from jobrun.run.command import LEFTOVER_GRACE_S, Command, Place, left_behind
from jobrun.run.leftovers import end_leftovers
from jobrun.signals import NUDGE, default_in_forks, ignore, print_stacks_on_quit
from jobrun.wire.channel import Channel, Unreadable
from jobrun.wire.messages import Answer, Ask, Ended, Greeting, Hello, Leave, Message, Run, Settled, Stop, Why
from jobrun.worker import usage
from jobrun.worker.stage import Stage

RETRY_S = 0.1  # while the socket is full because no dispatcher reads
ANSWER_S = 5.0  # for a new dispatcher to answer what was asked of the old one
BEAT_S = 5.0  # between beats while idle or while a command runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a worker is given at its fork."""

    name: str
    job_file: Path
    channel: Channel
    lock: int  # descriptor of its lock, held together with the supervisor
    import_paths: tuple[str, ...]


def run(post: Post) -> None:
    """Work until told to leave, or until nobody is at the other end."""
    Worker(post).run()


class Worker:
    """One worker. Between receiving an order and hearing `Settled` it owns the only copy of the ending."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._side = side_dir(post.job_file)
        self._log = Log(post.name, os.dup(2))
        self._inbox: deque[Message] = deque()
        self._unsettled: dict[str, Ended] = {}
        self._numbers = itertools.count(1)
        self._reading = threading.Lock()  # held by who reads the socket during a call
        self._asker: str | None = None  # the attempt that may ask: the one whose function runs
        self._token: str | None = None
        self._leaving = False
        self._greeting = Greeting(generation=0)
        self._nudged = False
        self._caller = Caller(on_enter=self._look_for_stop)
        self._stage = Stage(self._side / "logs", post.name)
        self._ticks = procs.start_ticks(os.getpid()) or 0

    def run(self) -> None:
        self._prepare()
        self._baseline = tidy.baseline()
        while not self._leaving or self._unsettled:
            try:
                self._handle(self._next())
            except Unreadable as error:
                self._log.say(str(error))
                time.sleep(RETRY_S)
                self._greet(self._greeting)  # the dispatcher hands out again what we did not get
            except EOFError:
                return  # the supervisor and the dispatcher are gone

    def _prepare(self) -> None:
        procs.adopt_orphans()
        # A TERM may reach the whole control group: it is for the supervisor, which ends us in good order.
        ignore(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
        signal.signal(NUDGE, self._on_nudge)
        print_stacks_on_quit(self._log.fd)
        default_in_forks()
        sys.path.extend(path for path in self._post.import_paths if path not in sys.path)
        write_record(self._post.lock, Record(pid=os.getpid(), ticks=self._ticks))

    def _next(self) -> Message:
        """Return the next message; beat while there is none."""
        poll = select.poll()
        poll.register(self._post.channel.fileno(), select.POLLIN)
        while True:
            if self._inbox:
                return self._inbox.popleft()
            if (message := self._post.channel.receive()) is not None:
                return message
            self._beat()
            is_all_sent = self._post.channel.flush()
            poll.poll((BEAT_S if is_all_sent else RETRY_S) * 1000)

    def _handle(self, message: Message) -> None:
        match message:
            case Run():
                self._run(message)
            case Settled():
                self._unsettled.pop(message.token, None)
            case Greeting():
                self._greet(message)
            case Leave():
                self._leaving = True
            case _:
                pass  # a Stop for what has ended, an Answer that nobody waits for

    def _greet(self, greeting: Greeting) -> None:
        """Tell a new dispatcher what it may not know yet."""
        self._greeting = greeting
        self._post.channel.send(Hello(generation=greeting.generation, unsettled=list(self._unsettled)))
        for ended in self._unsettled.values():
            self._post.channel.send(ended)

    def _run(self, order: Run) -> None:
        if order.token in self._unsettled:
            return  # a new dispatcher did not know yet that it has ended
        self._token = order.token
        self._stage.open_for(order.token, discards=order.terms.discards_output)
        cpu_s = usage.cpu_s()
        self._note_begin(order.token, cpu_s)
        usage.forget_peak()  # a command's peak begins at ours too, since it begins as our fork
        if order.kind is Kind.CALL:
            ending, pid = self._call(order, cpu_s), None
        else:
            ending, pid = self._command(order)
        ended = Ended(token=order.token, ending=self._with_output(order.token, ending), pid=pid)
        self._token = None
        self._unsettled[order.token] = ended
        self._post.channel.send(ended)

    def _note_begin(self, token: str, cpu_s: float) -> None:
        """Write down which attempt begins, for the day after our death."""
        began = time.monotonic()
        record = Record(pid=os.getpid(), ticks=self._ticks, token=token, cpu_s=cpu_s, began=began)
        write_record(self._post.lock, record)
        self._beat()

    def _with_output(self, token: str, ending: Ending) -> Ending:
        """Add what was printed; a fault of ours must not cost the ending."""
        try:
            return replace(ending, output=self._stage.close_for(token))
        except OSError as error:
            return self._last(ending, f"output not kept: {error.strerror}")

    def _last(self, ending: Ending, note: str) -> Ending:
        """Note a fault of ours with an ending, and take no further job after it."""
        self._log.say(f"{note}; this worker leaves")
        self._leaving = True
        return replace(ending, note="; ".join(filter(None, [ending.note, note])))

    def _call(self, order: Run, cpu_s: float) -> Ending:
        context.enter(self._context(order))
        self._asker = order.token
        ending = surroundings.enter(order, self._post.job_file) or self._caller.run(order)
        self._end_asking()
        tidy.put_back(self._baseline)
        left = end_leftovers(self._side / "locks", LEFTOVER_GRACE_S)
        note = "; ".join(filter(None, [ending.note, left_behind(left)]))
        return replace(ending, note=note or None, cpu_s=usage.cpu_s() - cpu_s, peak_rss=usage.peak())

    def _command(self, order: Run) -> tuple[Ending, int | None]:
        place = Place(
            job_file=self._post.job_file,
            attempt_lock=self._side / "locks" / order.token,
            output=self._stage.fd,
        )
        return Command(order, place).run(self._listen)

    def _listen(self, poll: select.poll, timeout_s: float | None) -> Why | None:
        """Wait for the command and the dispatcher; return why the command is to be stopped, if it is."""
        with contextlib.suppress(OSError):
            poll.register(self._post.channel.fileno(), select.POLLIN)
        poll.poll(min(timeout_s if timeout_s is not None else BEAT_S, BEAT_S) * 1000)
        self._beat()
        self._take_in()
        return self._stop_ordered()

    def _take_in(self) -> None:
        try:
            while (message := self._post.channel.receive()) is not None:
                self._inbox.append(message)
        except Unreadable as error:
            self._log.say(str(error))
        except (EOFError, OSError):
            os._exit(1)  # orphaned: what runs here is ended by the next recovery

    def _stop_ordered(self) -> Why | None:
        for message in list(self._inbox):
            if isinstance(message, Stop):
                self._inbox.remove(message)
                if message.token == self._token:
                    return message.why
        return None

    def _on_nudge(self, _signum: int, _frame: FrameType | None) -> None:
        self._nudged = True
        if self._caller.is_user_code:
            self._look_for_stop()  # else it is looked for on entering

    def _look_for_stop(self) -> None:
        """Stop the running call if that was ordered; raises in it. Who reads an answer has us look later."""
        while self._nudged and self._reading.acquire(blocking=False):
            try:
                self._nudged = False
                self._take_in()
                why = self._stop_ordered()
            finally:
                self._reading.release()
            if why is not None:
                self._caller.stop(why)

    def _context(self, order: Run) -> context.Context:
        return context.Context(
            id=order.job_id,
            attempt=order.attempt,
            max_attempts=order.max_attempts,
            queue=order.queue,
            name=order.name,
            token=order.token,
            pid=os.getpid(),
            ask=partial(self._ask, order.token),
        )

    def _ask(self, token: str, jobs: Sequence[NewJob]) -> list[Added]:
        """Have jobs added by the dispatcher: one writer, and no connection in this process.

        Raises `NotDone` in a thread whose call has ended.
        """
        try:
            with self._reading:
                answer = self._answer(token, jobs)
        finally:
            if self._nudged:
                signal.pthread_kill(threading.main_thread().ident or 0, NUDGE)
        if answer.error is not None:
            raise JobrunError(answer.error)
        return answer.added

    def _answer(self, token: str, jobs: Sequence[NewJob]) -> Answer:
        if self._asker != token:
            raise NotDone("a job that has ended cannot enqueue")
        number = next(self._numbers)
        self._post.channel.send(Ask(number=number, jobs=list(jobs)))
        poll = select.poll()
        poll.register(self._post.channel.fileno(), select.POLLIN)
        end: float | None = None
        while end is None or time.monotonic() < end:
            message = self._post.channel.receive()
            if isinstance(message, Answer) and message.number == number:
                return message
            if message is not None:
                self._inbox.append(message)
            elif self._asker != token:
                raise NotDone("the job ended meanwhile; look whether the jobs were added")
            else:
                self._post.channel.flush()
                poll.poll(RETRY_S * 1000)
            if isinstance(message, Greeting):
                # A new dispatcher: it answers if our question still lay in the socket, else nobody will.
                end = time.monotonic() + ANSWER_S
        raise JobrunError("the dispatcher was replaced meanwhile; look whether the jobs were added")

    def _end_asking(self) -> None:
        """From now on only this thread reads, whatever threads the call has left."""
        self._asker = None
        with self._reading:
            pass  # who asks now sees that within RETRY_S

    def _beat(self) -> None:
        locks.beat(self._side / "locks" / self._post.name)
