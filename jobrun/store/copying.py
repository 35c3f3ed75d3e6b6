"""Copies of a job file: whole, checked, for their owner alone; there in one step, or not at all.

Copying the file by cp(1) misses what is still in its WAL: SQLite copies it (sqlite.org/backup.html).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from jobrun import locks
from jobrun.errors import JobFileUnusable, NoRoom, NotDone
from jobrun.store.database import FAULTS, translated
from jobrun.store.faults import of_system
from jobrun.store.opening import connect

DRAFT = ".copy-"  # and 8 hex digits, after the name of the copy
_PAGES = 1024  # in one step, after which `tell` hears of it
_BUSY_S = 5.0
_COMPANIONS = ("-wal", "-shm", "-journal")


def copy(
    source: Path, target: Path, *, replaces: bool, tell: Callable[[int, int], None] = lambda _done, _all: None
) -> int:
    """Copy a job file as it is committed now, and return the size in bytes.

    Writers go on meanwhile, and what they commit is not in it. `tell` hears how many pages are done, of
    how many. Raises `NotDone` if the target exists and may not be replaced, `NoRoom`, `JobFileUnusable`.
    """
    _check_is_free(target, replaces=replaces)
    try:
        with _draft(target) as draft:
            _fill(source, draft, tell)
            _check(source, draft)
            _sync(draft)
            _put(draft, target, replaces=replaces)
            _sync(target.parent)
            return target.stat().st_size
    except OSError as error:
        raise JobFileUnusable(f"cannot write `{target}`: {error.strerror}") from None


@contextlib.contextmanager
def written(target: Path, *, replaces: bool) -> Iterator[BinaryIO]:
    """Give a file to write to, for its owner alone, that takes its place once the block is over.

    Raises `NotDone` if the target exists and may not be replaced, `NoRoom`, `JobFileUnusable`.
    """
    _check_is_free(target, replaces=replaces)
    try:
        with _draft(target) as draft:
            with draft.open("wb") as file:
                yield file
            _sync(draft)
            _put(draft, target, replaces=replaces)
            _sync(target.parent)
    except OSError as error:
        raise of_system(error, f"cannot write `{target}`", target.parent) from None


def _check_is_free(target: Path, *, replaces: bool) -> None:
    try:
        there = target.lstat()
    except OSError:
        return
    if not replaces:
        raise NotDone(f"`{target}` exists; nothing was written", hint="--replace writes it anew")
    # What root could replace, as /dev/null; that a folder is there, the system says itself.
    if not any(kind(there.st_mode) for kind in (stat.S_ISREG, stat.S_ISLNK, stat.S_ISDIR)):
        raise NotDone(f"`{target}` is there and is no regular file; nothing was written")


@contextlib.contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Give an empty file beside the target that nobody could have made before; its lock says that we live."""
    _sweep(target)
    draft = target.with_name(f"{target.name}{DRAFT}{os.urandom(4).hex()}")
    fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)  # whatever the umask
        locks.try_to_lock(fd)
        yield draft
    finally:
        _remove(draft)
        os.close(fd)


def _sweep(target: Path) -> None:
    """Remove what copies that were killed have left beside the target."""
    for left in target.parent.glob(f"{_literally(target.name)}{DRAFT}{'[0-9a-f]' * 8}"):
        with contextlib.suppress(OSError):
            if not locks.is_held(left):
                _remove(left)


def _literally(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _remove(draft: Path) -> None:
    for file in (draft, *(Path(f"{draft}{end}") for end in _COMPANIONS)):
        file.unlink(missing_ok=True)


def _fill(source: Path, draft: Path, tell: Callable[[int, int], None]) -> None:
    with (
        closing(connect(source, mode="rw", busy_s=_BUSY_S)) as reader,
        closing(connect(draft, mode="rw", busy_s=_BUSY_S)) as writer,
    ):
        try:
            # A read that stays open keeps one state of the file before our eyes; without it the copy
            # would begin anew at every commit of another process.
            reader.execute("BEGIN")
            reader.execute("PRAGMA user_version").fetchall()
            reader.backup(writer, pages=_PAGES, progress=lambda _, left, pages: tell(pages - left, pages))
        except FAULTS as error:
            told = translated(error, source)
            raise (
                NoRoom(f"no room left for `{draft.parent}`") if isinstance(told, NoRoom) else told
            ) from error


def _check(source: Path, draft: Path) -> None:
    """Read every page of the copy. It is nobody else's, so no lock and no WAL is needed."""
    with closing(connect(draft, mode="ro&immutable=1", busy_s=0)) as reader:
        try:
            said = reader.execute("PRAGMA quick_check(1)").fetchall()[0][0]
        except FAULTS as error:
            said = str(error)
    if said != "ok":
        raise JobFileUnusable(f"`{source}` is damaged ({said}); no copy was kept")


def _put(draft: Path, target: Path, *, replaces: bool) -> None:
    if replaces:
        draft.replace(target)
        return
    try:
        target.hardlink_to(draft)
    except FileExistsError:
        raise NotDone(f"`{target}` was made by another process meanwhile") from None


def _sync(place: Path) -> None:
    fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
