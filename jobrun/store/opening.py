"""Opening a job file: checked before it is trusted, made in one step, never by mistake."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from functools import partial

from jobrun import private
from jobrun.durability import FULL, SYNCHRONOUS, check_durability
from jobrun.errors import JobFileUnusable, JobrunError, NoRoom, Refused
from jobrun.locks.gate import Gate
from jobrun.places import side_folder
from jobrun.store.database import FAULTS, Database, PathLike, translated
from jobrun.store.version import APPLICATION_ID, VERSION
from jobrun.ways import weak_step

DRAFT = ".new-"  # and 8 hex digits, after the name of the job file
PATIENCE_S = 5.0  # of a command; a dispatcher waits longer
SIDE_FOLDERS = ("locks", "logs", "spool")
COMPANIONS = ("-wal", "-shm", "-journal")  # SQLite believes them, and follows a link in their place

# What is not UTF-8 was not written by us; one such text must not fail a statement over many rows.
_text = partial(str, encoding="utf-8", errors="backslashreplace")
_OPEN_PRAGMAS = """
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;
PRAGMA cell_size_check = ON;
PRAGMA trusted_schema = OFF;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = FAST;
PRAGMA mmap_size = 0;
"""  # who checkpoints: the housekeeper, and who purges; mmap 0: no SIGBUS on a file that shrinks


def open_database(path: PathLike, *, busy_s: float, durability: str = FULL) -> Database:
    """Open an existing job file for reading and writing, with a durability of its own.

    Raises `JobFileUnusable` if it is missing, foreign, damaged or newer than this program, and
    `Refused` if others could have written it.
    """
    check_durability(durability)
    check_file(path)
    connection = connect(path, mode="rw", busy_s=busy_s)
    try:
        version = prepare(connection, path, synchronous=SYNCHRONOUS[durability])
        gate = _way_to_write(path, patience_s=busy_s / 2)
        if version < VERSION:
            _bring_up_to_date(connection, path, writable=isinstance(gate, Gate), patience_s=busy_s)
    except FAULTS as error:
        connection.close()
        from jobrun.store.readonly import open_for_reading  # noqa: PLC0415 -- most go well

        return open_for_reading(path, error)
    except BaseException:
        connection.close()
        raise
    return Database(connection, path, side_folder(path), gate)


def check_file(path: PathLike) -> None:
    """Refuse what is no regular file of ours, or what others can write.

    Whoever can write the job file can run code as its owner (as cronie demands of a crontab:
    regular, right owner, one link, no write permission for others).
    """
    try:
        here = os.lstat(path)
        if stat.S_ISLNK(here.st_mode):
            _check_owner(path, here)
            here = os.stat(path)
    except FileNotFoundError:
        raise JobFileUnusable(
            f"no job file at `{path}`", hint="`jobrun enqueue` makes one, or name another with --db PATH"
        ) from None
    except OSError as error:
        raise JobFileUnusable(f"cannot look at `{path}`: {error.strerror}") from None
    if not stat.S_ISREG(here.st_mode):
        raise JobFileUnusable(f"`{path}` is not a regular file")
    if here.st_size == 0:
        raise JobFileUnusable(f"`{path}` is empty, not a job file; nothing was changed")
    if here.st_nlink > 1 and _remove_drafts(path, here).st_nlink > 1:
        raise Refused(
            f"`{path}` has {here.st_nlink} names (hard links)", hint="two names of one file end in two queues"
        )
    _check_owner(path, here)
    _check_mode(path, here, hint=f"chmod 600 {path}")
    check_folders(path)
    _check_companions(path, here)


def check_folders(path: PathLike) -> None:
    """Refuse a path on which others could swap a folder or a link, up to the root."""
    ours = None if os.geteuid() == 0 else (0, os.geteuid())
    if found := weak_step(path, owners=ours, groups=False):
        step, how = found
        raise Refused(f"`{step}` {how}", hint=f"chmod go-w {step}" if "written" in how else None)


def _check_companions(path: PathLike, here: os.stat_result) -> None:
    """Refuse what somebody else has put beside the file, where a sticky folder as /tmp let them."""
    real = os.path.realpath(path)
    side = side_folder(path)
    trusted = {0, os.geteuid(), here.st_uid}
    for place in (*(f"{real}{ending}" for ending in COMPANIONS), side):
        try:
            found = os.lstat(place)
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(found.st_mode):
            raise Refused(f"`{place}` is a symbolic link", hint=f"rm {place}")
        if found.st_uid not in trusted:
            raise Refused(f"`{place}` belongs to another user (uid {found.st_uid})")
        _check_mode(place, found, hint=f"chmod go-w {place}")


def make_side_folders(path: PathLike) -> str:
    """Return the folder of locks, bell, gate, spool and logs, made if need be, mode 0700 whatever the umask.

    Raises `Refused` for a link in the place of one of them: what is removed there would be removed elsewhere.
    """
    side = side_folder(path)
    folders = [os.path.join(side, name) for name in SIDE_FOLDERS]
    if any(map(os.path.islink, folders)):
        raise Refused(f"`{side}` has a symbolic link for a folder", hint="put a real folder in its place")
    if all(map(os.path.isdir, folders)):
        return side
    try:
        owner = os.stat(path if os.path.exists(path) else os.path.dirname(path) or ".")
        for folder in (side, *folders):
            private.make_folder(folder, owner)
    except OSError as error:
        raise _of_system(error, f"cannot make `{side}`", path) from None
    return side


def _of_system(error: OSError, what: str, path: PathLike) -> JobFileUnusable:
    from jobrun.store.faults import of_system  # noqa: PLC0415 -- most go well

    return of_system(error, what, path)


def _remove_drafts(path: PathLike, here: os.stat_result) -> os.stat_result:
    """Remove the second name of a file that `create` has just linked into place, or was killed at."""
    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    for other in os.listdir(folder):
        if other.startswith(f"{name}{DRAFT}") and len(other) == len(f"{name}{DRAFT}") + 8:
            draft = os.path.join(folder, other)
            with contextlib.suppress(OSError):
                if os.path.samestat(os.lstat(draft), here):
                    os.unlink(draft)
    return os.lstat(real)


def _way_to_write(path: PathLike, *, patience_s: float) -> Gate | JobFileUnusable:
    """Return the gate, or why nothing can be written though it can be read."""
    if not os.access(path, os.W_OK):
        from jobrun.store.faults import barred  # noqa: PLC0415 -- most go well

        return barred(path)
    try:
        return _gate(make_side_folders(path), patience_s=patience_s)
    except NoRoom as error:
        return error


def _gate(side: str, *, patience_s: float) -> Gate:
    try:
        return Gate(os.path.join(side, "gate"), patience_s=patience_s)
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise  # no fault of the file; the door says what to do
        raise _of_system(error, f"cannot open `{side}/gate`", side) from None


def connect(path: PathLike, *, mode: str, busy_s: float) -> sqlite3.Connection:
    """Connect to a file; `mode` is that of a URI, with what may stand behind it (sqlite.org/uri.html)."""
    name = os.path.join("" if os.path.isabs(path) else os.getcwd(), path)
    for character in "%?#":  # in this order: all that means something in the path of a URI
        name = name.replace(character, f"%{ord(character):02X}")
    uri = f"file:{name}?mode={mode}"
    try:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=busy_s, cached_statements=256
        )
    except sqlite3.Error as error:
        raise translated(error, path) from None
    connection.row_factory = sqlite3.Row
    connection.text_factory = _text
    return connection


def prepare(connection: sqlite3.Connection, path: PathLike, *, synchronous: str, mode: str = "wal") -> int:
    """Check that the file is ours, set it up, and return its version."""
    found = connection.execute("PRAGMA application_id").fetchall()[0][0]
    version = _version(connection)
    if found != APPLICATION_ID:
        raise JobFileUnusable(f"`{path}` is not a job file of jobrun; nothing was changed")
    if version > VERSION:
        raise JobFileUnusable(
            f"`{path}` was made by a newer jobrun (schema {version}, this one knows {VERSION}); nothing was changed",
            hint="use the jobrun that made it, or a newer one",
        )
    connection.executescript(_OPEN_PRAGMAS)
    in_force = connection.execute("PRAGMA journal_mode").fetchall()[0][0]
    connection.execute(f"PRAGMA synchronous = {synchronous}").fetchall()
    if in_force != mode:
        raise JobFileUnusable(
            f"`{path}` is in journal mode {in_force}, not WAL", hint="its file system may not allow WAL"
        )
    return version


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchall()[0][0])


def _bring_up_to_date(
    connection: sqlite3.Connection, path: PathLike, *, writable: bool, patience_s: float
) -> None:
    if not writable:
        raise JobFileUnusable(
            f"`{path}` was made by an older jobrun and must be brought up to date",
            hint="its owner does that with any command, for example `jobrun status`",
        )
    from pathlib import Path  # noqa: PLC0415 -- as below

    from jobrun.store.migrations import migrate  # noqa: PLC0415 -- slow, and hardly ever needed

    try:
        migrate(connection, Path(path), patience_s=patience_s)
    except FAULTS as error:
        told = translated(error, path)
        if not isinstance(told, JobrunError):  # the steps are right for a sound file of that version
            told = JobFileUnusable(f"`{path}` is damaged ({error}); nothing was changed")
        raise told from error
    except OSError as error:
        raise _of_system(error, f"cannot bring `{path}` up to date", path) from None


def _check_owner(path: PathLike, here: os.stat_result) -> None:
    if here.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise Refused(f"`{path}` belongs to another user (uid {here.st_uid})")


def _check_mode(path: PathLike, here: os.stat_result, *, hint: str) -> None:
    if here.st_mode & 0o022:
        raise Refused(f"`{path}` can be written by others (mode {stat.S_IMODE(here.st_mode):04o})", hint=hint)
