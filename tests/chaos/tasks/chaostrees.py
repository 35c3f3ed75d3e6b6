"""Trees of processes that do not want to end. Each process notes itself: `pid ticks job token`, outside the job file.

It is a task (`chaostrees:grow`) and a program (`chaostrees.py SEED`) of its own, and imports little, for it is
started a thousand times.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from random import Random

LONG_S = 600.0


def grow(seed: int) -> None:
    """Start some of what there is to start, below this process or as orphans; then hang, one way or the other."""
    dice = Random(seed)
    for shape in dice.sample(list(SHAPES), dice.randint(2, 5)):
        _fork(SHAPES[shape], then=dice.choice((None, None, _in_a_session, _twice)))
    if dice.random() < 0.5:
        _hang()
    while True:
        with contextlib.suppress(BaseException):
            _ignore_all()
            _hang()


def _hang() -> None:
    time.sleep(LONG_S)


def _ignores() -> None:
    _ignore_all()
    _hang()


def _becomes_another() -> None:
    os.execv("/bin/sleep", ["sleep", str(LONG_S)])


def _sheds_its_mark() -> None:
    os.execve("/bin/sleep", ["sleep", str(LONG_S)], {})


def _sheds_all() -> None:
    """Leave session, descriptors and mark: only its parents tell whose it is."""
    os.setsid()
    os.closerange(0, 256)
    os.execve("/bin/sleep", ["sleep", str(LONG_S)], {})


def _closes_all() -> None:
    os.closerange(0, 256)
    _ignores()


def _stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    _hang()


def _has_its_own_group() -> None:
    os.setpgid(0, 0)
    _ignores()


def _forks_when_told_to_end() -> None:
    def fork(_signum: int, _frame: object) -> None:
        _fork(_ignores)

    signal.signal(signal.SIGTERM, fork)
    while True:
        _hang()


def _runs_away() -> None:
    """Be another process every few milliseconds; the one before ends."""
    _ignore_all()
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        _note()
        time.sleep(0.002)


def _breeds() -> None:
    """Have a few children at any time, which end soon, or are replaced when they were killed."""
    _ignore_all()
    while True:
        for _ in range(3):
            if os.fork() == 0:
                _note()
                time.sleep(0.02)
                os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)


SHAPES: dict[str, Callable[[], None]] = {
    "child": _hang,
    "ignores": _ignores,
    "exec": _becomes_another,
    "sheds its mark": _sheds_its_mark,
    "sheds all": _sheds_all,
    "closes all": _closes_all,
    "stops": _stops_itself,
    "group": _has_its_own_group,
    "forks at its end": _forks_when_told_to_end,
    "runs away": _runs_away,
    "breeds": _breeds,
}


def _in_a_session(shape: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        os.setsid()
    shape()


def _twice(shape: Callable[[], None]) -> None:
    """Let it be an orphan, in a session of its own."""
    with contextlib.suppress(OSError):
        os.setsid()
    _fork(shape)


def _fork(shape: Callable[[], None], *, then: Callable[[Callable[[], None]], None] | None = None) -> None:
    if os.fork():
        return
    try:
        _note()
        if then is None:
            shape()
        else:
            then(shape)
    finally:
        os._exit(0)


def _ignore_all() -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
        signal.signal(signum, signal.SIG_IGN)


def _note() -> None:
    """Note this process by what names it for good: its pid, and when it began."""
    given = os.environ
    notes = f"{given['EFFECTS']}.trees"
    with open("/proc/self/stat", "rb") as file:
        ticks = file.read().rpartition(b")")[2].split()[19].decode()
    fd = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(fd, f"{os.getpid()} {ticks} {given['JOBRUN_ID']} {given['JOBRUN_TOKEN']}\n".encode())
    os.close(fd)


if __name__ == "__main__":
    _note()
    grow(int(sys.argv[1]))
