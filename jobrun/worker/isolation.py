"""A call in a fork of its own: whatever it does to its process, that is gone with the fork."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from jobrun import locks, procs
from jobrun.locks.records import Recorder
from jobrun.log import Log
from jobrun.model import Ending, Outcome
from jobrun.run.command import Place, killed_for_memory
from jobrun.run.leftovers import end_leftovers
from jobrun.run.stops import stopped
from jobrun.run.surroundings import Surroundings
from jobrun.run.tree import LEFTOVER_GRACE_S, Listen, Tree, left_behind
from jobrun.signals import NUDGE, print_stacks_on_quit
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Ended, Run, Stop, Why
from jobrun.wire.packing import NO_MESSAGE, pack, unpack
from jobrun.worker.calling import Calling
from jobrun.worker.mailbox import Mailbox
from jobrun.worker.relay import Relay

_BROKEN = 70  # the exit code of a fork in which we have failed (sysexits.h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What a fork takes along from its worker, and what it must let go."""

    surroundings: Surroundings
    log: Log
    spool: Path
    let_go: Callable[[], None]  # closes the worker's lock and its channels


class Isolated:
    """One attempt of a call in a fork, watched by its worker as a command is."""

    def __init__(self, order: Run, place: Place, home: Home) -> None:
        self._order = order
        self._place = place
        self._home = home
        self._locks = place.attempt_lock.parent
        self._lock = -1
        self._tree = Tree(self._locks, place.strangers, grace_s=order.grace_s)

    def run(self, mail: Mailbox, listen: Listen) -> tuple[Ending, int | None]:
        """Run to the end, and return how it ended and the pid of the fork; `listen` is that of a command."""
        with contextlib.ExitStack() as stack:
            try:
                self._lock = self._take_lock(stack)
                # A file without a name holds an ending of any size, whoever the fork has become, and needs no reader.
                said = os.memfd_create("ending")
                stack.callback(os.close, said)
                ours, theirs = pair(self._home.spool)
                stack.callback(ours.close)
                pid = self._fork(ours, theirs, said)
            except OSError as error:
                return Ending(outcome=Outcome.ERROR, cause=f"cannot fork: {error.strerror}"), None
            Recorder(self._lock, pid=pid, ticks=0, boot=self._place.boot).note(self._order.token)
            self._watch(pid, Relay(mail, ours), listen)
            return self._ended(pid, said), pid

    def _take_lock(self, stack: contextlib.ExitStack) -> int:
        lock = locks.take(self._place.attempt_lock)
        assert lock is not None, "a token names one attempt"
        stack.callback(self._place.attempt_lock.unlink, missing_ok=True)
        stack.callback(os.close, lock)
        return lock

    def _fork(self, ours: Channel, theirs: Channel, said: int) -> int:
        """Fork, and return the pid. A nudge finds the fork ready for it."""
        worker = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {NUDGE})
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._live(worker, theirs, said, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        return pid

    def _live(self, worker: int, theirs: Channel, said: int, mask: set[int | signal.Signals]) -> NoReturn:
        """Be the fork: run the call, write down how it ended, and end."""
        code = _BROKEN
        try:
            gc.freeze()  # to look for garbage among what the worker had would copy all of its memory
            os.setsid()
            procs.die_with(worker)
            procs.adopt_orphans()
            self._home.let_go()
            os.set_inheritable(self._lock, True)  # for what the call starts, as that of a command
            ending = self._call(Mailbox(theirs, self._home.log), mask)
            with open(said, "wb", closefd=False) as file:
                file.write(pack(Ended(token=self._order.token, ending=ending)))
            code = 0
        except BaseException as error:  # noqa: BLE001 -- this process must not go on as a second worker
            os.write(2, f"jobrun: cannot say how the call ended: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)

    def _call(self, mail: Mailbox, mask: set[int | signal.Signals]) -> Ending:
        calls = Calling(mail, partial(_attend, mail, self._order.token))
        calls.heed_nudges()
        print_stacks_on_quit(self._home.log.fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ending = calls.run(self._order, self._home.surroundings)
        left = end_leftovers(self._locks, LEFTOVER_GRACE_S)
        return _noted(ending, left_behind(left))

    def _watch(self, pid: int, relay: Relay, listen: Listen) -> None:
        def hear(poll: select.poll, timeout_s: float | None) -> Why | None:
            relay.watch(poll)
            why = listen(poll, timeout_s)
            relay.pass_on()
            return why

        self._tree.watch(pid, hear, partial(self._ask_to_end, pid, relay))

    def _ask_to_end(self, pid: int, relay: Relay, why: Why) -> None:
        """Have an exception raised in the call; what does not heed that is killed after the grace."""
        relay.tell(Stop(token=self._order.token, why=why))
        with contextlib.suppress(OSError):  # it may have become a program of another user
            os.kill(pid, NUDGE)
            os.kill(pid, signal.SIGCONT)  # a stopped process would not see it

    def _ended(self, pid: int, said: int) -> Ending:
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        note = left_behind(self._tree.end_rest())
        ending = _read(said) or self._died(code)
        return replace(
            _noted(ending, note),
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_rss=usage.ru_maxrss * 1024,
        )

    def _died(self, code: int) -> Ending:
        """Return the ending of a fork that did not say how its call ended."""
        cause = _in_words(code) + killed_for_memory(-code, self._place.oom_kills)
        ending = Ending(outcome=Outcome.CRASHED, cause=cause)
        if self._tree.why is not None:
            how = "killed after the grace" if self._tree.was_killed else cause
            ending = stopped(self._tree.why, how=how)
        return replace(ending, exit_code=code if code >= 0 else None, signal=-code if code < 0 else None)


def _attend(mail: Mailbox, token: str) -> Why | None:
    """Look at what the worker has passed on; a greeting is answered by that."""
    mail.take_in()
    mail.take_greeting()
    return mail.take_stop(token)


def _read(said: int) -> Ending | None:
    """Return the ending that a fork has written down; None if it did not come to the end of that."""
    with open(said, "rb", closefd=False) as file:
        file.seek(0)
        packet = file.read()
    with contextlib.suppress(*NO_MESSAGE):
        ended = unpack(packet)
        if isinstance(ended, Ended):
            return ended.ending
    return None


def _noted(ending: Ending, note: str | None) -> Ending:
    return replace(ending, note="; ".join(filter(None, [ending.note, note])) or None)


def _in_words(code: int) -> str:
    if code >= 0:
        return f"fork ended without a result (exit {code})"
    return f"fork killed by {procs.signal_name(-code)}"
