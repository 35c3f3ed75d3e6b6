"""Making a job file: in one step, never by mistake."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

from jobrun import locks
from jobrun.errors import JobFileUnusable
from jobrun.places import side_folder
from jobrun.store import medium
from jobrun.store.database import FAULTS, translated
from jobrun.store.faults import of_system
from jobrun.store.opening import DRAFT, check_folders, connect
from jobrun.store.schema import SCHEMA
from jobrun.store.version import APPLICATION_ID, VERSION


def _leave_empty(_draft: Path) -> None:
    """Put nothing into a new file."""


def create(path: Path, fill: Callable[[Path], None] = _leave_empty) -> bool:
    """Make a job file, with what `fill` puts into it; False if somebody else made it meanwhile.

    It is built under another name and linked into place, so nobody ever opens half a file.
    """
    _make_folder(path)
    _check_place(path)
    draft = path.with_name(f"{path.name}{DRAFT}{os.urandom(4).hex()}")
    _make_empty(draft)
    try:
        _fill(draft)
        fill(draft)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise JobFileUnusable(f"cannot make `{path}`: {error.strerror}") from None
    finally:
        for leftover in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm"), Path(f"{draft}-journal")):
            with contextlib.suppress(OSError):  # the housekeeper sweeps what has to stay
                leftover.unlink()
    _sync_folder(path.parent)
    return True


def _check_place(path: Path) -> None:
    """Refuse to put a new file where one was taken away from those who use it, or from its -wal.

    SQLite would play a -wal that is left into whatever file has that name. Who has just made the file may have
    both by now: so what lies beside it is looked at first, and then whether it is there itself.
    """
    left = Path(f"{os.path.realpath(path)}-wal")
    has_wal = has_workers = False
    with contextlib.suppress(OSError):  # where we may not look, we shall not write either
        has_wal = left.stat().st_size > 0
    with contextlib.suppress(OSError):
        has_workers = any(map(locks.is_held, (Path(side_folder(path)) / "locks").iterdir()))
    if os.path.lexists(path):
        return
    if has_wal:
        raise JobFileUnusable(
            f"`{path}` is gone, and its last changes are still in `{left}`",
            hint="put the file back beside it; or, to begin anew, move that away",
        )
    if has_workers:
        raise JobFileUnusable(
            f"`{path}` was removed while workers are at work on it", hint="put it back, or end them first"
        )


def drafts(path: Path) -> list[Path]:
    """Return what makers who were killed have left beside a job file.

    A job file of somebody who chose such a name has a folder beside it, unlike a draft.
    """
    look = re.compile("(" + re.escape(f"{path.name}{DRAFT}") + "[0-9a-f]{8})(-wal|-shm|-journal)?").fullmatch
    found = [match for name in os.listdir(path.parent) if (match := look(name))]
    folders = {match: Path(side_folder(path.with_name(match[1]))) for match in found}
    return [path.with_name(match[0]) for match, folder in folders.items() if not folder.exists()]


def make_at(place: Path) -> None:
    """Make a job file without jobs that is for nobody else, in a folder of our own."""
    _make_empty(place)
    _fill(place)


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
    except FAULTS as error:
        raise translated(error, draft.parent) from error
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
        raise of_system(error, f"cannot make `{folder}`", folder) from None
    check_folders(path)
    medium.check(folder)


def _make_empty(draft: Path) -> None:
    try:
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise of_system(error, f"cannot make a job file in `{draft.parent}`", draft.parent) from None
    os.fchmod(fd, 0o600)  # a strange umask may have taken our own rights
    os.close(fd)


def _sync_folder(folder: Path) -> None:
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise  # no fault of the folder; the door says what to do
        raise JobFileUnusable(f"cannot make a job file in `{folder}`: {error.strerror}") from None
