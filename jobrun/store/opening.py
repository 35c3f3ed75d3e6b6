"""Opening a job file: checked before it is trusted, made in one step, never by mistake."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from functools import partial
from glob import escape
from pathlib import Path
from urllib.parse import quote

from jobrun import private
from jobrun.errors import JobFileUnusable, Refused
from jobrun.locks.gate import Gate
from jobrun.paths import side_dir
from jobrun.store import medium
from jobrun.store.database import Database, translated
from jobrun.store.schema import APPLICATION_ID, SCHEMA, VERSION

_DRAFT = ".new-"  # and a random part, after the name of the job file
SIDE_FOLDERS = ("locks", "logs", "spool")

# What is not UTF-8 was not written by us; one such text must not fail a statement over many rows.
_text = partial(str, encoding="utf-8", errors="backslashreplace")
_OPEN_PRAGMAS = """
PRAGMA foreign_keys = ON;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;
PRAGMA cell_size_check = ON;
PRAGMA trusted_schema = OFF;
PRAGMA temp_store = MEMORY;
PRAGMA mmap_size = 0;
"""  # who checkpoints: the housekeeper alone; mmap 0: no SIGBUS on a file that shrinks


def open_database(path: Path, *, own_process: bool, busy_s: float) -> Database:
    """Open an existing job file for reading and writing.

    Raises `JobFileUnusable` if it is missing, foreign, damaged or newer than this program, and
    `Refused` if others could have written it.
    """
    check_file(path)
    connection = _connect(path, mode="rw", busy_s=busy_s)
    try:
        writable = _prepare(connection, path)
        gate = None
        if writable:
            make_side_folders(path)
        if _version(connection) < VERSION:
            _bring_up_to_date(connection, path, writable=writable, patience_s=busy_s)
        if writable:
            gate = _gate(path, patience_s=busy_s / 2, own_process=own_process)
    except BaseException:
        connection.close()
        raise
    return Database(connection, path, gate)


def create(path: Path) -> bool:
    """Make a job file without jobs; False if somebody else made it meanwhile.

    It is built under another name and linked into place, so nobody ever opens half a file.
    """
    _make_folder(path)
    draft = path.with_name(f"{path.name}{_DRAFT}{os.urandom(4).hex()}")
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


def check_file(path: Path) -> None:
    """Refuse what is no regular file of ours, or what others can write.

    Whoever can write the job file can run code as its owner (as cronie demands of a crontab:
    regular, right owner, one link, no write permission for others).
    """
    try:
        here = path.lstat()
        if stat.S_ISLNK(here.st_mode):
            _check_owner(path, here)
            here = path.stat()
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


def check_for_workers(path: Path) -> None:
    """Refuse what a group of workers must not run from: a network, or to root somebody else's file."""
    medium.check(path.parent)
    if os.geteuid() == 0 and path.stat().st_uid != 0:
        raise Refused(
            f"`{path}` belongs to uid {path.stat().st_uid}, and its jobs would run as root",
            hint="run the workers as that user",
        )


def check_folders(path: Path) -> None:
    """Refuse a path on which others could swap a folder, up to the root."""
    folder = Path(os.path.realpath(path)).parent
    for place in (folder, *folder.parents):
        here = place.stat()
        if here.st_mode & stat.S_ISVTX:
            continue  # sticky: others cannot rename what is ours
        _check_owner(place, here)
        if here.st_mode & 0o002:
            raise Refused(f"`{place}` can be written by others", hint=f"chmod go-w {place}")


def make_side_folders(path: Path) -> None:
    """Make the folder of locks, bell, gate, spool and logs, mode 0700 whatever the umask."""
    side = side_dir(path)
    if all((side / name).is_dir() for name in SIDE_FOLDERS):
        return
    try:
        owner = (path if path.exists() else path.parent).stat()
        for folder in (side, *(side / name for name in SIDE_FOLDERS)):
            private.make_folder(folder, owner)
    except OSError as error:
        raise JobFileUnusable(f"cannot make `{side}`: {error.strerror}") from None


def _remove_drafts(path: Path, here: os.stat_result) -> os.stat_result:
    """Remove the second name of a file that `create` has just linked into place, or was killed at."""
    real = Path(os.path.realpath(path))
    for draft in real.parent.glob(f"{escape(real.name)}{_DRAFT}{'[0-9a-f]' * 8}"):
        with contextlib.suppress(OSError):
            if os.path.samestat(draft.lstat(), here):
                draft.unlink()
    return real.lstat()


def _gate(path: Path, *, patience_s: float, own_process: bool) -> Gate:
    try:
        return Gate(side_dir(path) / "gate", patience_s=patience_s, own_process=own_process)
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise  # no fault of the file; the door says what to do
        raise JobFileUnusable(f"cannot open `{side_dir(path)}/gate`: {error.strerror}") from None


def _connect(path: Path, *, mode: str, busy_s: float) -> sqlite3.Connection:
    uri = f"file:{quote(os.fspath(path.absolute()))}?mode={mode}"
    try:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=busy_s, cached_statements=256
        )
    except sqlite3.Error as error:
        raise JobFileUnusable(f"cannot open `{path}`: {_reason(path, error)}") from None
    connection.row_factory = sqlite3.Row
    connection.text_factory = _text
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> bool:
    """Check that the file is ours and set it up; True if it can be written."""
    try:
        found = connection.execute("PRAGMA application_id").fetchall()[0][0]
        version = _version(connection)
        if found != APPLICATION_ID:
            raise JobFileUnusable(f"`{path}` is not a job file of jobrun; nothing was changed")
        if version > VERSION:
            raise JobFileUnusable(
                f"`{path}` was made by a newer jobrun (schema {version}, this one knows {VERSION})"
            )
        connection.executescript(_OPEN_PRAGMAS)
        mode = connection.execute("PRAGMA journal_mode").fetchall()[0][0]
        connection.execute("PRAGMA synchronous = FULL").fetchall()
    except sqlite3.Error as error:
        raise JobFileUnusable(f"cannot open `{path}`: {_reason(path, error)}; nothing was changed") from None
    if mode != "wal":
        raise JobFileUnusable(
            f"`{path}` is in journal mode {mode}, not WAL", hint="its file system may not allow WAL"
        )
    return os.access(path, os.W_OK)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchall()[0][0])


def _bring_up_to_date(
    connection: sqlite3.Connection, path: Path, *, writable: bool, patience_s: float
) -> None:
    if not writable:
        raise JobFileUnusable(
            f"`{path}` was made by an older jobrun and must be brought up to date",
            hint="its owner does that with any command, for example `jobrun status`",
        )
    from jobrun.store.migrations import migrate  # noqa: PLC0415 -- slow, and hardly ever needed

    try:
        migrate(connection, path, patience_s=patience_s)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except OSError as error:
        raise JobFileUnusable(f"cannot bring `{path}` up to date: {error.strerror}") from None


def _reason(path: Path, error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
        return "it is not a job file"
    if not os.access(path, os.R_OK):
        return "no permission to read it"
    if not os.access(path.parent, os.W_OK):
        return f"no permission to write in `{path.parent}`"
    return str(error)


def _fill(draft: Path) -> None:
    connection = _connect(draft, mode="rw", busy_s=5)
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


def _check_owner(path: Path, here: os.stat_result) -> None:
    if here.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise Refused(f"`{path}` belongs to another user (uid {here.st_uid})")


def _check_mode(path: Path, here: os.stat_result, *, hint: str) -> None:
    if here.st_mode & 0o022:
        raise Refused(f"`{path}` can be written by others (mode {stat.S_IMODE(here.st_mode):04o})", hint=hint)
