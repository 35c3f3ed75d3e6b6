"""Signals as facts for a loop: handlers only note; the loop looks when it wakes."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import threading
from collections.abc import Iterable, Mapping

# Sent to a worker to make it read its socket in the middle of a call; far from what programs use.
NUDGE = signal.SIGRTMIN + 5


class Signals:
    """Signals caught for a loop; `fileno` becomes readable when one has come."""

    def __init__(self, caught: Iterable[signal.Signals]) -> None:
        """Catch these signals from now on."""
        self._reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._caught: list[int] = []
        for signum in caught:
            signal.signal(signum, self._note)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def fileno(self) -> int:
        return self._reader

    def take(self) -> list[int]:
        """Return the signals that came since the last look, in their order."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                pass
        caught, self._caught = self._caught, []
        return caught

    def _note(self, signum: int, _frame: object) -> None:
        self._caught.append(signum)


def stand_apart() -> None:
    """Undo in a forked child what the parent's loop has set up, and lead a session of its own.

    A terminal's ^C and a `kill` of the process group then reach the supervisor alone.
    """
    signal.set_wakeup_fd(-1)
    for signum in (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGCHLD,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        signal.signal(signum, signal.SIG_DFL)
    os.setsid()


def ignore(*signums: signal.Signals) -> None:
    """Do nothing on these signals, by a handler: unlike SIG_IGN it is not passed on over exec."""
    for signum in signums:
        signal.signal(signum, _nothing)


def default_in_forks() -> None:
    """Let the forks of this process begin with the default action where a handler of ours stands now.

    What the handlers do is meant for this process alone: a SIGTERM has to end what was forked. Those
    that are put in their place before a fork are inherited, as ever.
    """
    handlers = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
    # faulthandler's stands behind what Python knows of SIGQUIT
    ours = {
        signum: found for signum, found in handlers.items() if callable(found) or signum == signal.SIGQUIT
    }
    before = threading.local()

    def hold() -> None:  # a signal that comes before the default stands would find our handler
        before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    def let_go() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before.mask)

    def begin() -> None:
        _set_defaults(ours)
        let_go()

    os.register_at_fork(before=hold, after_in_parent=let_go, after_in_child=begin)


def print_stacks_on_quit(fd: int) -> None:
    """Make SIGQUIT write all stacks to a descriptor and go on."""
    faulthandler.register(signal.SIGQUIT, file=fd, all_threads=True, chain=False)


def _set_defaults(ours: Mapping[signal.Signals, object]) -> None:
    for signum, handler in ours.items():
        if signal.getsignal(signum) is handler:
            faulthandler.unregister(signum)
            signal.signal(signum, signal.SIG_DFL)


def _nothing(_signum: int, _frame: object) -> None:
    pass
