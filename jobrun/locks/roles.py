"""Roles that one process per job file plays: housekeeper, migrator, scheduler of a table.

The filelock package serves here: these locks are taken by a process for itself and never passed on.
It cannot serve for workers and attempts, because its fork hook closes the descriptor in the child.
"""

from __future__ import annotations

import errno
from pathlib import Path

from filelock import FileLock, Timeout

from jobrun.errors import JobFileUnusable

_NO_FILE_OF_OURS = frozenset({errno.ELOOP, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENXIO})


class Role:
    """A role that this process may hold; the lock file stays, since removing it lets a second one in."""

    def __init__(self, path: Path) -> None:
        """Name the role by its lock file."""
        # An existence lock would not fall at death, so never fall back to one.
        self._lock = FileLock(path, timeout=0, mode=0o600, fallback_to_soft=False)

    def try_to_take(self) -> bool:
        """Take the role if it is free; True while we hold it.

        Raises `JobFileUnusable` if its lock file is no file of ours, so that nobody could ever hold it.
        """
        if self._lock.is_locked:
            return True
        try:
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            if error.errno not in _NO_FILE_OF_OURS:
                raise
            raise JobFileUnusable(f"cannot lock `{self._lock.lock_file}`: {error.strerror}") from None
        return True

    def give_up(self) -> None:
        self._lock.release(force=True)
