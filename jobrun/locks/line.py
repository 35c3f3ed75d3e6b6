"""A line of processes, in the order in which they came, that the kernel keeps.

Who stands in it has locked one byte of the gate file: the microsecond of its coming, and the number of the pipe on which it is
called. Nobody has to write anything down or to clear up: the lock of who dies is gone, and that of who was
stopped, or of a fork that still has the descriptor, is too old to count after a while.

    byte      ... | came 17:00:00.000100, pipe 3 | ... | came 17:00:00.000450, pipe 0 | ...
    first           ^ the lowest locked byte: `gate.3` is where it is called

These are locks of open file descriptions (fcntl(2), F_OFD_SETLK): unlike others, no close elsewhere in the process
drops them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import struct
import time
from collections.abc import Iterator

from jobrun import locks, private

_FLOCK = struct.Struct("hhqqi4x")  # struct flock: type, whence, start, length, pid
_PIPES = 1 << 10
_ANYBODY = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _PIPES, 0, 0)
_NOBODY = struct.pack("h", fcntl.F_UNLCK)
_COUNTS_NS = 10_000_000_000  # longer than anybody's patience at the gate
_CALL_S = 0.02  # after so long without a call, look for oneself
_END = 1 << 62  # later than all


class Line:
    """One process' end of the line; a place in it is taken by `standing`."""

    def __init__(self, fd: int, path: str | os.PathLike[str]) -> None:
        """Use an open file for the order, and pipes named after it for the calls."""
        self._fd = fd
        self._path = path
        self._pipe: tuple[int, int] | None = None  # number and descriptor of ours, once we had to wait

    def is_empty(self) -> bool:
        """Say whether nobody counts; of an empty line one call tells."""
        try:
            if fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, _ANYBODY).startswith(_NOBODY):
                return True
        except OSError:
            return True
        return self._one_before(_END) is None

    @contextlib.contextmanager
    def standing(self) -> Iterator[Place]:
        """Stand in line, as the last, for the length of a block."""
        if self._pipe is None:
            self._pipe = _own_pipe(self._path)
        number, pipe = self._pipe or (_PIPES - 1, None)
        byte = _byte(time.monotonic_ns(), number)
        _lock(self._fd, fcntl.F_WRLCK, byte)
        try:
            yield Place(self, byte, pipe)
        finally:
            _lock(self._fd, fcntl.F_UNLCK, byte)

    def call_the_first(self) -> None:
        """Wake who is first; nobody, if there is no line."""
        if self.is_empty() or (first := self.first(_END)) is None:
            return
        with contextlib.suppress(OSError):  # it has left meanwhile, or belongs to another user
            pipe = os.open(
                f"{self._path}.{first % _PIPES}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            )
            try:
                os.write(pipe, b".")
            finally:
                os.close(pipe)

    def close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe[1])

    def first(self, end: int) -> int | None:
        """Return the first byte before an end; None if nobody came before it."""
        first, before = None, self._one_before(end)
        while before is not None:  # the kernel names any of those that come before
            first, before = before, self._one_before(before)
        return first

    def _one_before(self, byte: int) -> int | None:
        """Return the byte of somebody who came before a byte, and still counts; None if nobody did."""
        start = max(_byte(time.monotonic_ns() - _COUNTS_NS, 0), _PIPES)
        if start >= byte:
            return None
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, byte - start, 0)
        try:
            kind, _, found, _, _ = _FLOCK.unpack(fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, asked))
        except OSError:
            return None  # a kernel without such locks: nobody stands in line, and all of them try
        return None if kind == fcntl.F_UNLCK else found


class Place:
    """A place in a line."""

    def __init__(self, line: Line, byte: int, pipe: int | None) -> None:
        self._line = line
        self._byte = byte
        self._pipe = pipe
        self._first: int | None = None  # in line, when we last looked
        self._is_called = True

    def may_try(self) -> bool:
        """Say whether it is our turn, or that of one who does not take it: stopped, or killed when called."""
        before, self._first = self._first, self._line.first(self._byte)
        is_stuck = not self._is_called and self._first == before
        return self._first is None or is_stuck

    def wait(self, timeout_s: float) -> None:
        """Wait for a call, but not for long."""
        self._is_called = self._hears(min(timeout_s, _CALL_S))

    def _hears(self, timeout_s: float) -> bool:
        if self._pipe is None:
            time.sleep(timeout_s)
            return False
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        if not poll.poll(timeout_s * 1000):
            return False
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe, 4096)
        return True


def _byte(came_ns: int, number: int) -> int:
    return came_ns // 1000 * _PIPES + number


def _lock(fd: int, kind: int, byte: int) -> None:
    with contextlib.suppress(OSError):  # as above
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0))


def _own_pipe(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return the number and the descriptor of a pipe that nobody else has; None if none is to be had.

    Who has none looks now and then, and only waits longer.
    """
    for number in range(_PIPES - 1):
        try:
            pipe = private.open_pipe(f"{path}.{number}")
        except PermissionError:
            continue  # of another user
        except OSError:
            return None
        if stat.S_ISFIFO(os.fstat(pipe).st_mode) and locks.try_to_lock(pipe):
            return number, pipe
        os.close(pipe)
    return None
