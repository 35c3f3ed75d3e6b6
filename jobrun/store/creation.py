"""Making a job file: in one step, never by mistake."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from jobrun.errors import JobFileUnusable
from jobrun.store import medium
from jobrun.store.opening import DRAFT, check_folders, connect
from jobrun.store.schema import APPLICATION_ID, SCHEMA, VERSION


def create(path: Path) -> bool:
    """Make a job file without jobs; False if somebody else made it meanwhile.

    It is built under another name and linked into place, so nobody ever opens half a file.
    """
    _make_folder(path)
    draft = path.with_name(f"{path.name}{DRAFT}{os.urandom(4).hex()}")
    _make_empty(draft)
    try:
        _fill(draft)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    finally:
        for leftover in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm"), Path(f"{draft}-journal")):
            leftover.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _fill(draft: Path) -> None:
    connection = connect(draft, mode="rw", busy_s=5)
    try:
        connection.executescript(
            f"""
            PRAGMA application_id = {APPLICATION_ID};
            PRAGMA user_version = {VERSION};
            BEGIN;
            {SCHEMA}
            COMMIT;
            PRAGMA journal_mode = WAL;
            """
        )
    except sqlite3.Error as error:
        raise JobFileUnusable(f"cannot make `{draft}`: {error}") from None
    finally:
        connection.close()


def _make_folder(path: Path) -> None:
    """Make our own folder where it is missing; any other that is missing is a mistyped path."""
    folder = path.parent
    if not os.path.isdir(folder) and folder.name != "jobrun":  # noqa: PTH112 -- False, too, where we may not look
        raise JobFileUnusable(f"there is no directory `{folder}`", hint=f"mkdir -m 700 {folder}")
    missing = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    try:
        for place in reversed(missing):  # one by one: `parents=True` would leave those to the umask
            with contextlib.suppress(FileExistsError):
                place.mkdir(mode=0o700)
                place.chmod(0o700)
    except OSError as error:
        raise JobFileUnusable(f"cannot make `{folder}`: {error.strerror}") from None
    check_folders(path)
    medium.check(folder)


def _make_empty(draft: Path) -> None:
    try:
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JobFileUnusable(f"cannot make a job file in `{draft.parent}`: {error.strerror}") from None
    os.fchmod(fd, 0o600)  # a strange umask may have taken our own rights
    os.close(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
