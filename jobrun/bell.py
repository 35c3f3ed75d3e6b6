"""The bell: whoever commits something that others wait for rings, and every listener hears it.

A ring is one utime(2) of a file, watched by inotify(7). Unlike a FIFO, which hands each ring to one
reader only, this reaches every listener, costs the ringer one system call, and leaves nothing
behind when a listener dies. A ring says "look", never what to see.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

from jobrun import private

_IN_ATTRIB = 0x4
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC


class Tone(StrEnum):
    WORK = "work"  # a job is ready or due soon, or a running one is to be cancelled
    DONE = "done"  # a job changed its state
    PING = "ping"  # a monitor is to be told something


def ring(side: str | os.PathLike[str], tone: Tone) -> None:
    """Wake all listeners of a tone; call it after COMMIT.

    It raises nothing: what is committed is no error, and listeners look now and then without a ring.
    """
    path = _file(side, tone)
    with contextlib.suppress(OSError):
        try:
            os.utime(path, follow_symlinks=False)
        except FileNotFoundError:
            _make(path)


class Listener:
    """One ear; `drain` before looking at the store, or a ring between look and sleep is lost.

    A user may have no inotify instance left (128 of them by default). The ear is deaf then: who
    listens looks now and then without a ring, and is only slower.
    """

    def __init__(self, side: str | os.PathLike[str], tone: Tone) -> None:
        """Begin to listen."""
        try:
            self._fd = _watch(_file(side, tone))
        except OSError:
            self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # nobody ever writes to it

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> bool:
        """Forget all rings heard so far; True if there were any."""
        heard = False
        while True:
            try:
                heard |= bool(os.read(self._fd, 4096))
            except BlockingIOError:
                return heard
            except OSError as error:
                if error.errno != errno.EINTR:
                    raise

    def wait(self, timeout_s: float) -> bool:
        """Sleep until a ring or for `timeout_s`; True if it rang. Rings are drained."""
        select.select([self._fd], [], [], max(timeout_s, 0))
        return self.drain()

    def close(self) -> None:
        os.close(self._fd)


@contextlib.contextmanager
def listening(side: str | os.PathLike[str], tone: Tone) -> Iterator[Listener]:
    """Listen for the length of a block."""
    listener = Listener(side, tone)
    try:
        yield listener
    finally:
        listener.close()


def _watch(path: str) -> int:
    import ctypes  # noqa: PLC0415 -- who rings has no use for it

    _make(path)
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
    if fd < 0:
        raise _last_error(path, ctypes.get_errno())
    if libc.inotify_add_watch(fd, os.fsencode(path), _IN_ATTRIB) < 0:
        error = _last_error(path, ctypes.get_errno())
        os.close(fd)
        raise error
    return fd


def _last_error(path: str, code: int) -> OSError:
    return OSError(code, os.strerror(code), path)


def _file(side: str | os.PathLike[str], tone: Tone) -> str:
    return _file_in(os.fspath(side), tone)


@lru_cache
def _file_in(side: str, tone: Tone) -> str:
    return os.path.join(side, f"bell.{tone}")


def _make(path: str) -> None:
    os.close(private.open_file(path))
