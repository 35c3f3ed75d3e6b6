"""What SQLite or the system found wrong with a job file, in our words; only what goes wrong loads this."""

from __future__ import annotations

import errno
import os
import sqlite3

from jobrun.errors import Busy, DiskFault, JobFileUnusable, JobrunError, NoRoom
from jobrun.trouble import around_us

PathLike = str | os.PathLike[str]

_NO_SCHEMA_OF_OURS = (
    "no such table",
    "no such column",
    "no such index",
    "unsupported file format",
)  # all that we name is in a sound file
_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})
_FULL_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def fault(error: sqlite3.Error | UnicodeDecodeError, path: PathLike) -> JobrunError | None:
    """Return what is wrong with the file; None for a mistake of our own."""
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, UnicodeDecodeError) or str(error).startswith(_NO_SCHEMA_OF_OURS):
        name = "SQLITE_CORRUPT"
    return _of_content(name, error, path) or _of_place(name, error, path)


def _of_content(name: str, error: Exception, path: PathLike) -> JobrunError | None:
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return Busy(
            f"`{path}` is busy; nothing was changed", hint="another program holds it locked; try again"
        )
    if name == "SQLITE_NOTADB":
        return JobFileUnusable(
            f"`{path}` is not a job file, or its beginning is damaged; nothing was changed",
            hint="if it was one, put a backup in its place",
        )
    if name.startswith("SQLITE_CORRUPT"):
        return JobFileUnusable(
            f"`{path}` is damaged ({error}); nothing was changed",
            hint=f"put a backup in its place; `sqlite3 {path} .recover` prints what can still be read",
        )
    return None


def _of_place(name: str, error: Exception, path: PathLike) -> JobrunError | None:
    if name in _FULL:
        return no_room(path)
    if name == "SQLITE_IOERR_WRITE":  # a limit on file sizes, or a disk that was made read-only under us
        return NoRoom(f"{_read_only(path)}; nothing was changed") if is_read_only(path) else no_room(path)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return lack_of_descriptors() or barred(path, error)
    if name.startswith(("SQLITE_IOERR", "SQLITE_NOMEM")):
        return DiskFault(f"`{path}` cannot be read or written ({error}); nothing was changed")
    return None


def no_room(path: PathLike) -> NoRoom:
    return NoRoom(
        f"no room left for `{path}`; nothing was changed", hint="free some disk space, then try again"
    )


def of_system(error: OSError, what: str, path: PathLike) -> JobFileUnusable:
    """Return the fault of a call of the system that could not do `what`."""
    if error.errno in _FULL_ERRNO:
        return no_room(path)
    return JobFileUnusable(f"{what}: {error.strerror}")


def barred(path: PathLike, error: Exception | None = None) -> JobFileUnusable:
    """Name what may not be read or written, and the right that lacks.

    SQLite makes the files beside a job file with its mode at that time.
    """
    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    if not os.access(path, os.R_OK):
        return _lacks("read", path, "r")
    if is_read_only(path):
        return JobFileUnusable(f"{_read_only(path)}; nothing was changed")
    files = [f"{real}{end}" for end in ("", "-wal", "-shm")]
    for file in files:
        if os.path.exists(file) and not os.access(file, os.W_OK):
            return _lacks("write", path if file == real else file, "w")
    if not os.access(folder, os.W_OK | os.X_OK):
        return _lacks("make files in", folder, "wx")
    return DiskFault(f"`{path}` cannot be read or written ({error}); nothing was changed")


def lack_of_descriptors() -> JobrunError | None:
    """Say so if there are fewer left than SQLite needs, which does not tell why it cannot open a file."""
    taken: list[int] = []
    try:
        taken.extend(os.dup(0) for _ in ("-wal", "-shm", "its folder"))
    except OSError as error:
        return around_us(error)
    finally:
        for fd in taken:
            os.close(fd)
    return None


def is_read_only(path: PathLike) -> bool:
    """Say whether the file system of a path takes no changes."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _read_only(path: PathLike) -> str:
    return f"`{path}` lies on a file system that is mounted read-only"


def _lacks(what: str, path: PathLike, right: str) -> JobFileUnusable:
    return JobFileUnusable(
        f"no permission to {what} `{path}`; nothing was changed", hint=f"chmod u+{right} {path}, as its owner"
    )
