"""The write gate: one writer at a time, the one who came first.

SQLite's busy handler sleeps without a queue; a waiter may be overtaken for ever, and so may one who waits for a
flock(2), by who comes while it wakes. So writers stand in `line`, and only the first of it tries to take the lock,
when the one who leaves calls. It is an optimisation and no safety: a stopped holder must not block
the others, so every wait ends and falls through to SQLite.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from jobrun import locks, private
from jobrun.locks.line import Line


class Gate:
    """One process' end of the gate file; needs no signal and no thread, so that any program may have one."""

    def __init__(self, path: str | os.PathLike[str], *, patience_s: float) -> None:
        """Open the gate."""
        self._fd = private.open_file(path)
        self._line = Line(self._fd, path)
        self._patience_s = patience_s

    def enter(self) -> None:
        """Wait for our turn, at most the patience given, and not at all where the kernel has no locks left."""
        with contextlib.suppress(OSError):
            self._wait()

    def _wait(self) -> None:
        if self._line.is_empty() and locks.try_to_lock(self._fd):
            return
        end = time.monotonic() + self._patience_s
        with self._line.standing() as place:
            while (left_s := end - time.monotonic()) > 0:
                if place.may_try() and locks.try_to_lock(self._fd):
                    return
                place.wait(left_s)

    def leave(self) -> None:
        """Let the next writer in; harmless when our patience had run out."""
        with contextlib.suppress(OSError):
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._line.call_the_first()

    def close(self) -> None:
        self._line.close()
        os.close(self._fd)
