"""What a call may change in its worker, put back before the next one."""

from __future__ import annotations

import contextlib
import gc
import locale
import operator
import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import Any

# Those of `signal` make enum members of all that they return, which takes ten times as long.
_signal = sys.modules["_signal"]
_set_locale = sys.modules["_locale"].setlocale  # that of `locale` takes twice as long to tell which it is

# Those by which we reach the call among them: `signal.Signals` knows two of the real-time signals only.
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = tuple(value for name, value in vars(resource).items() if name.startswith("RLIMIT_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The state of a worker between calls."""

    cwd: int  # descriptor: the directory may be renamed or removed meanwhile
    umask: int
    import_path: list[str]
    handlers: list[Any]  # of `_SIGNALS`, one by one
    mask: set[Any]
    locale: str
    recursion: int
    collects: bool
    limits: dict[int, tuple[int, int]]
    user: tuple[int, ...]  # real, effective and saved, and the same of the group


def baseline() -> Baseline:
    """Remember the state of this process."""
    umask = os.umask(0o077)
    os.umask(umask)
    return Baseline(
        cwd=os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC),
        umask=umask,
        import_path=list(sys.path),
        handlers=list(map(_signal.getsignal, _SIGNALS)),
        mask=set(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        locale=_set_locale(locale.LC_ALL, None),
        recursion=sys.getrecursionlimit(),
        collects=gc.isenabled(),
        limits={which: resource.getrlimit(which) for which in _LIMITS},
        user=_user(),
    )


def put_back(before: Baseline) -> None:
    """Restore directory, umask, import path, signals and timers, and what the interpreter was set to."""
    for timer in _TIMERS:
        signal.setitimer(timer, 0)
    _put_back_signals(before)
    with contextlib.suppress(OSError):
        os.fchdir(before.cwd)
    os.umask(before.umask)
    if sys.path != before.import_path:
        sys.path[:] = before.import_path
    if _set_locale(locale.LC_ALL, None) != before.locale:
        _set_locale(locale.LC_ALL, before.locale)
    if sys.getrecursionlimit() != before.recursion:
        sys.setrecursionlimit(before.recursion)
    if gc.isenabled() != before.collects:
        (gc.enable if before.collects else gc.disable)()


def is_another_user(before: Baseline) -> bool:
    """Say whether a call has given up who we were, which nothing can put back (setresuid(2))."""
    return _user() != before.user


def _user() -> tuple[int, ...]:
    return os.getresuid() + os.getresgid()


def _put_back_signals(before: Baseline) -> None:
    now = list(map(_signal.getsignal, _SIGNALS))
    if any(map(operator.is_not, now, before.handlers)):
        for signum, found, handler in zip(_SIGNALS, now, before.handlers, strict=True):
            if found is not handler and handler is not None:
                signal.signal(signum, handler)
    _signal.pthread_sigmask(signal.SIG_SETMASK, before.mask)


def put_back_limits(before: Baseline) -> None:
    """Restore the soft limits. It takes as long as all of the rest: once for a row of jobs of one task is enough."""
    for which, (soft, _) in before.limits.items():
        now, hard = resource.getrlimit(which)
        if now != soft:
            with contextlib.suppress(ValueError):  # above a hard limit, which stays where it was put
                resource.setrlimit(which, (soft, hard))
