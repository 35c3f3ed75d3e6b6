"""Side files and side folders: private whatever the umask, and left by root to whose job file it is.

Without that, root, who enqueues a job into somebody's job file, would be the owner of the bell there,
and nobody but root could ring it.
"""

from __future__ import annotations

import contextlib
import os

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


def open_file(path: str | os.PathLike[str]) -> int:
    """Open a file, made if it is missing, for reading and writing; return the descriptor.

    Only what was made here changes its owner: what was there may be a hard link to a file of root.
    """
    try:
        fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, _FLAGS)
    os.fchmod(fd, 0o600)
    _leave(fd, os.stat(os.path.dirname(path) or "."))
    return fd


def open_pipe(path: str | os.PathLike[str]) -> int:
    """Open a named pipe, made if it is missing, for both ends and without ever blocking; return the descriptor."""
    is_made = False
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, 0o600)
        is_made = True
    fd = os.open(path, _FLAGS | os.O_NONBLOCK)
    if is_made:
        os.fchmod(fd, 0o600)
        _leave(fd, os.stat(os.path.dirname(path) or "."))
    return fd


def make_folder(folder: str | os.PathLike[str], owner: os.stat_result) -> None:
    """Make a folder, unless it is there, for the owner of something else."""
    try:
        os.mkdir(folder, mode=0o700)
    except FileExistsError:
        return
    if os.geteuid() != 0:
        os.chmod(folder, 0o700)
        return
    fd = os.open(
        folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    )  # no link put in its place
    try:
        os.fchmod(fd, 0o700)
        _leave(fd, owner)
    finally:
        os.close(fd)


def _leave(fd: int, owner: os.stat_result) -> None:
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
