"""A job file that cannot be opened for writing, opened for those who look."""

from __future__ import annotations

import os

from jobrun.durability import FULL, SYNCHRONOUS
from jobrun.errors import JobFileUnusable, NoRoom
from jobrun.places import side_folder
from jobrun.store.database import FAULTS, Database, Fault, PathLike
from jobrun.store.faults import fault, lack_of_descriptors
from jobrun.store.opening import connect, prepare
from jobrun.store.version import VERSION

# Each with the journal mode that SQLite then answers.
_WITHOUT_SHM = "ro&readonly_shm=1", "wal"  # SQLite then keeps the index of the WAL in memory
_WITHOUT_WAL = "ro&immutable=1", "delete"  # SQLite then takes no lock, and looks for no WAL
_HERE_S = 1.0


def open_for_reading(path: PathLike, error: Fault) -> Database:
    """Open a file that `error` kept from being opened as ever; writing to it raises what that was.

    SQLite makes a -shm even for those who only read, so that a full or read-only disk keeps them out.
    Raises `JobrunError` if it cannot be read either.
    """
    why = fault(error, path)
    if not isinstance(why, JobFileUnusable) or lack_of_descriptors() is not None:
        raise why or error
    way = _WITHOUT_SHM if isinstance(why, NoRoom) else _WITHOUT_WAL
    if way is _WITHOUT_WAL:
        _check_is_whole(path, error, why)
    mode, journal_mode = way
    connection = connect(path, mode=mode, busy_s=_HERE_S)
    try:
        version = prepare(connection, path, synchronous=SYNCHRONOUS[FULL], mode=journal_mode)
    except FAULTS:
        version = None
    except BaseException:
        connection.close()
        raise
    if version != VERSION:  # an older one cannot be brought up to date
        connection.close()
        raise why from error
    return Database(connection, path, side_folder(path), why)


def _check_is_whole(path: PathLike, error: Fault, why: JobFileUnusable) -> None:
    """Raise unless all is in the file itself: nobody has it open, and no WAL is left beside it."""
    if getattr(error, "sqlite_errorname", "") != "SQLITE_CANTOPEN" or not os.access(path, os.R_OK):
        raise why
    wal = f"{os.path.realpath(path)}-wal"
    if os.path.exists(wal) and os.stat(wal).st_size:
        raise JobFileUnusable(
            why.message, hint=f"copy it together with `{wal}` to where you can write, and look there"
        )
