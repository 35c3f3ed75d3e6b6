"""Some room on the disk that is held for when that is full.

The WAL can be cut off only once what it has found room in the job file, and on a small disk it may be what
fills that; and a group that has to leave keeps beside the file how its jobs ended.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from jobrun.errors import Busy, NoRoom
from jobrun.store import Store

BALLAST = "ballast"
_ROOM = 1024 * 1024  # bytes


def reserve(side: Path) -> None:
    """Hold the room, unless it is held; nothing is held on a disk that is full."""
    try:
        fd = os.open(side / BALLAST, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, _ROOM)
        finally:
            os.close(fd)
    except OSError:
        give(side)


def give(side: Path) -> None:
    """Let the room be used."""
    with contextlib.suppress(OSError):
        (side / BALLAST).unlink()


def cut_wal(store: Store, side: Path) -> bool:
    """Cut the WAL off, if need be with the room that is held; say whether that was done."""
    for help_with in (lambda _side: None, give):
        help_with(side)
        try:
            done = store.checkpoint()
        except NoRoom:
            continue
        except Busy:
            done = False
        reserve(side)
        return done
    reserve(side)
    return False
