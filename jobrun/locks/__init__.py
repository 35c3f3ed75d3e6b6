"""Locks that the kernel holds: who lives is a lock, never the age of a heartbeat.

flock(2) locks belong to the open file description. They are inherited over fork and by commands that
keep the descriptor, and fall when the last copy is closed: at death, even by SIGKILL or power loss.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def take(path: str | os.PathLike[str]) -> int | None:
    """Lock a file, made if need be, and return its descriptor; None if somebody holds it.

    The file's inode is compared after locking, since a file that was deleted and made anew between
    open and lock would let two hold the lock of one name.
    """
    fd = os.open(path, _FLAGS, 0o600)
    with contextlib.suppress(OSError):
        if try_to_lock(fd) and _is_still(fd, path):
            return fd
    os.close(fd)
    return None


def try_to_lock(fd: int) -> bool:
    """Lock an open file unless somebody holds it, and say whether it is ours."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: str | os.PathLike[str]) -> bool:
    """Say whether a living process holds the lock of a file; a missing file is held by nobody."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not see each other
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def any_held(folder: str | os.PathLike[str]) -> bool:
    """Say whether a living process holds a lock in a folder; in a missing one nobody does."""
    try:
        places = [entry.path for entry in os.scandir(folder)]
    except FileNotFoundError:
        return False
    return any(map(is_held, places))


@contextlib.contextmanager
def taken(path: str | os.PathLike[str]) -> Iterator[bool]:
    """Try to hold a lock for the length of a block; yields whether it is ours."""
    fd = take(path)
    try:
        yield fd is not None
    finally:
        if fd is not None:
            os.close(fd)


def beat(path: str | os.PathLike[str]) -> None:
    """Say "I am here" to people by the file's times; no decision hangs on it."""
    with contextlib.suppress(OSError):
        os.utime(path, follow_symlinks=False)


def _is_still(fd: int, path: str | os.PathLike[str]) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
