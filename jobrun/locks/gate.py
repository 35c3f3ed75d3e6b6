"""The write gate: writers queue in the kernel, so none starves.

SQLite's busy handler sleeps without a queue; a waiter may be overtaken for ever. A flock(2) taken
before BEGIN IMMEDIATE makes the kernel wake writers in order. It is an optimisation and no
safety: a stopped holder must not block the others, so every wait ends and falls through to SQLite.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from types import FrameType

from jobrun import private


class Gate:
    """One process' end of the gate file."""

    def __init__(self, path: str | os.PathLike[str], *, patience_s: float, own_process: bool) -> None:
        """Open the gate. `own_process`: the process is ours, so SIGALRM may end a wait."""
        self._fd = private.open_file(path)
        self._patience_s = patience_s
        self._own_process = own_process

    def enter(self) -> None:
        """Wait for our turn, at most the patience given."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not (self._own_process and self._wait_in_the_kernel()):
                self._wait_by_trying()

    def leave(self) -> None:
        """Let the next writer in; harmless when our patience had run out."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._fd)

    def _wait_in_the_kernel(self) -> bool:
        """Wait, or return False in a thread, where no alarm can be set."""
        try:  # PEP 475 resumes flock after a signal unless the handler raises
            before = signal.signal(signal.SIGALRM, _raise_timeout)
        except ValueError:
            return False
        try:
            with contextlib.suppress(TimeoutError):  # around the disarming too: the alarm may come just then
                try:
                    signal.setitimer(signal.ITIMER_REAL, self._patience_s)
                    fcntl.flock(self._fd, fcntl.LOCK_EX)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)
        return True

    def _wait_by_trying(self) -> None:
        # Somebody else's process: its signals are not ours to use.
        end = time.monotonic() + self._patience_s
        while time.monotonic() < end:
            time.sleep(0.0005 + os.urandom(1)[0] / 100_000)  # jitter, up to 3 ms
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return


def _raise_timeout(_signum: int, _frame: FrameType | None) -> None:
    raise TimeoutError
