"""The worker's loop: take an order, run it, keep the ending until it is settled."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jobrun import locks, procs
from jobrun.locks.records import Recorder
from jobrun.log import Log
from jobrun.model import Ending, Kind, Leftovers
from jobrun.paths import side_dir
from jobrun.run import tidy
from jobrun.run.command import Command, Place
from jobrun.run.leftovers import end_leftovers
from jobrun.run.surroundings import Surroundings
from jobrun.run.tree import LEFTOVER_GRACE_S, left_behind
from jobrun.signals import default_in_forks, ignore, print_stacks_on_quit
from jobrun.wire.channel import Unreadable
from jobrun.wire.messages import UNASKED, Ended, Greeting, Hello, Leave, Message, Retiring, Run, Settled, Why
from jobrun.worker import usage
from jobrun.worker.calling import Calling
from jobrun.worker.endings import Endings
from jobrun.worker.isolation import Home, Isolated
from jobrun.worker.mailbox import RETRY_S, Mailbox
from jobrun.worker.post import Post
from jobrun.worker.stage import Stage
from jobrun.worker.wear import Wear

COUNT_S = 1.0  # between counts of the kills for want of memory
MOST_IN_A_ROW = 16
BEAT_S = 5.0  # between beats while idle or while a command runs


def run(post: Post) -> None:
    """Work until told to leave, or until nobody is at the other end."""
    Worker(post).run()


class Worker:
    """One worker. Between receiving an order and hearing `Settled` it owns the only copy of the ending."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._side = side_dir(post.job_file)
        self._locks = self._side / "locks"
        self._log = Log(post.name, os.dup(2))
        self._mail = Mailbox(post.channel, self._log)
        self._unsettled = Endings(self._side / "spool")
        self._token: str | None = None
        self._task = ""  # that ran last
        self._in_a_row = 0  # how many orders may still be taken without a look at the channel
        self._wear = Wear(post.good_for)
        self._leaving = False
        self._retiring: Retiring | None = None  # we said that we leave by ourselves
        self._calls = Calling(self._mail, self._attend)
        self._stage = Stage(self._side / "logs", post.name)
        self._meter = usage.Meter()
        self._boot = procs.boot_id()
        self._poll = select.poll()
        self._beat_at = 0.0
        self._counted: int | None = None
        self._counted_at = -COUNT_S

    def run(self) -> None:
        self._prepare()
        self._baseline = tidy.baseline()
        self._surroundings = Surroundings(self._post.job_file)
        while not self._leaving or self._unsettled:
            try:
                self._handle(self._next())
            except Unreadable as error:
                self._log.say("message-lost", str(error))
                time.sleep(RETRY_S)
                # The dispatcher greets us, and hands out again what we did not get.
                self._post.channel.send(Hello(generation=UNASKED, unsettled=[]))
            except EOFError:
                return  # the supervisor and the dispatcher are gone; what was not settled is shelved

    def _prepare(self) -> None:
        procs.adopt_orphans()
        # A TERM may reach the whole control group: it is for the supervisor, which ends us in good order.
        ignore(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
        self._calls.heed_nudges()
        print_stacks_on_quit(self._log.fd)
        default_in_forks()
        sys.path.extend(path for path in self._post.import_paths if path not in sys.path)
        ticks = procs.start_ticks(os.getpid()) or 0
        self._record = Recorder(self._post.lock, pid=os.getpid(), ticks=ticks, boot=self._boot)
        for channel in (self._post.channel, self._post.orders):
            self._poll.register(channel.fileno(), select.POLLIN)

    def _next(self) -> Message:
        """Return the next message; beat while there is none."""
        # While orders lie ready, what else may have come waits a little: it costs a call to look.
        if self._in_a_row and not self._mail.inbox and (order := self._post.orders.receive()) is not None:
            self._in_a_row -= 1
            return order
        self._in_a_row = MOST_IN_A_ROW if self._retiring is None else 0
        ends = {end.fileno(): end for end in (self._post.channel, self._post.orders)}
        while not self._mail.inbox:
            is_all_sent = self._post.channel.flush()
            wait_s = self._unsettled.wait_s(BEAT_S if is_all_sent else RETRY_S)
            for fd, _ in self._poll.poll(wait_s * 1000):
                if (message := ends[fd].receive()) is not None:
                    return message
            self._unsettled.shelve()
            self._beat()
        return self._mail.inbox.popleft()

    def _handle(self, message: Message) -> None:
        match message:
            case Run():
                self._run(message)
            case Settled():
                for token in message.tokens:
                    self._unsettled.settle(token, stays_shelved=message.is_shelved)
            case Greeting():
                self._greet(message)
            case Leave():
                self._leaving = True
            case _:
                pass  # a Stop for what has ended, an Answer that nobody waits for

    def _greet(self, greeting: Greeting) -> None:
        """Tell a new dispatcher what it may not know yet."""
        self._post.channel.send(
            Hello(
                generation=greeting.generation,
                number=greeting.number,
                unsettled=self._unsettled.tokens(),
                running=self._token,
            )
        )
        for ended in self._unsettled:
            self._post.channel.send(ended)
        if self._retiring is not None:
            self._post.channel.send(self._retiring)

    def _run(self, order: Run) -> None:
        if order.token in self._unsettled:
            return  # a new dispatcher did not know yet that it has ended
        self._token = order.token
        if order.terms.discards_output:
            self._stage.discard()
        facts: dict[str, Any] = {"began_at": datetime.now(UTC)}
        began = time.monotonic()
        self._note_begin(order.token, began)
        if order.kind is not Kind.CALL:
            ending, pid = Command(order, self._place(order)).run(self._listen)
        elif order.terms.isolate:
            ending, pid = self._isolated(order)
        else:
            ending, pid = self._call(order), None
            facts["cpu_s"], facts["peak_rss"] = self._meter.end()
        facts["took_s"] = time.monotonic() - began
        is_kept = order.terms.leftovers is Leftovers.KEEP
        ended = Ended(token=order.token, ending=self._told(ending, facts, is_shared=is_kept), pid=pid)
        self._token = None
        if (reason := self._wear.after_job()) is not None:
            self._retire(reason)  # first, or the answer to the ending might be a job
        self._unsettled.keep(ended)
        self._post.channel.send(ended)

    def _note_begin(self, token: str, began: float) -> None:
        """Write down which attempt begins, for the day after our death."""
        cpu_s = self._meter.begin()  # a command's peak begins at ours too, since it begins as our fork
        self._record.note(token, cpu_s=cpu_s, began=began)
        if began - self._beat_at >= BEAT_S:
            self._beat()

    def _told(self, ending: Ending, facts: dict[str, Any], *, is_shared: bool) -> Ending:
        """Add facts, and what was printed; a fault of ours must not cost the ending."""
        try:
            return replace(ending, output=self._stage.collect(is_shared=is_shared), **facts)
        except OSError as error:
            return replace(self._last(ending, f"output not kept: {error.strerror}"), **facts)

    def _last(self, ending: Ending, note: str) -> Ending:
        """Note a fault of ours with an ending, and take no further job after it."""
        self._retire(f"since {note}")
        return replace(ending, note="; ".join(filter(None, [ending.note, note])))

    def _retire(self, reason: str) -> None:
        """Take no further job; the dispatcher takes back what it has handed out, and has another one hired."""
        if self._retiring is not None:
            return  # a second fault of one job
        self._leaving = True
        self._in_a_row = 0
        self._poll.unregister(self._post.orders.fileno())
        self._retiring = Retiring(reason=reason)
        self._post.channel.send(self._retiring)

    def _call(self, order: Run) -> Ending:
        self._put_back_limits(order)
        ending = self._calls.run(order, self._surroundings)
        self._surroundings.leave()
        tidy.put_back(self._baseline)
        if tidy.is_another_user(self._baseline):
            ending = self._last(ending, "the task became another user")
        if left := end_leftovers(self._locks, LEFTOVER_GRACE_S):
            ending = replace(ending, note="; ".join(filter(None, [ending.note, left_behind(left)])))
        return ending

    def _isolated(self, order: Run) -> tuple[Ending, int | None]:
        self._put_back_limits(order)
        home = Home(
            surroundings=self._surroundings, log=self._log, spool=self._side / "spool", let_go=self._let_go
        )
        return Isolated(order, self._place(order), home).run(self._mail, self._listen)

    def _let_go(self) -> None:
        """Close, in a fork, what speaks for this worker: it must not seem to live on in it."""
        os.close(self._post.lock)
        self._post.channel.close()
        self._post.orders.close()

    def _put_back_limits(self, order: Run) -> None:
        if order.task != self._task:
            tidy.put_back_limits(self._baseline)
            self._task = order.task

    def _place(self, order: Run) -> Place:
        return Place(
            job_file=self._post.job_file,
            attempt_lock=self._locks / order.token,
            output=self._stage.fd,
            boot=self._boot,
            oom_kills=self._oom_kills(),
        )

    def _oom_kills(self) -> int | None:
        """Return how many kills for want of memory there had been about now; counting them takes a while."""
        now = time.monotonic()
        if now - self._counted_at >= COUNT_S:
            self._counted, self._counted_at = procs.oom_kills(), now
        return self._counted

    def _listen(self, poll: select.poll, timeout_s: float | None) -> Why | None:
        """Wait for the command and the dispatcher; return why the command is to be stopped, if it is."""
        self._mail.watch(poll)
        poll.poll(min(timeout_s if timeout_s is not None else BEAT_S, BEAT_S) * 1000)
        self._beat()
        return self._attend()

    def _attend(self) -> Why | None:
        """Look at the mail while a job runs; return why that is to be stopped, if it is."""
        self._mail.take_in()
        if (greeting := self._mail.take_greeting()) is not None:
            self._greet(greeting)
        return self._mail.take_stop(self._token)

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        locks.beat(self._locks / self._post.name)
