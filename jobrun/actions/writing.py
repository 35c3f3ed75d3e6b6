"""Writing a file that others read at any moment: they find the old one or the new one, and never half of one."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from jobrun import locks
from jobrun.errors import NotDone

MODE = 0o644  # the collector that reads it is another user
_DRAFT = ".draft-"  # and 8 hex digits, after the name of the file, so that no pattern as *.prom finds it


def put(path: Path, data: bytes) -> None:
    """Write a file in one step, in place of one that is there. Raises `NotDone`; then the old one stays."""
    try:
        _refuse_what_is_no_file(path)
        with _draft(path) as (draft, fd):
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(fd)  # or after a power cut the name might lead to an empty file
            draft.replace(path)
    except OSError as error:
        raise NotDone(f"cannot write `{path}`: {(error.strerror or str(error)).lower()}") from None


def _refuse_what_is_no_file(path: Path) -> None:
    """Leave devices, links and folders in their places."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise NotDone(f"`{path}` is there and is no regular file; nothing was written")


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, int]]:
    """Give an empty file beside another, open for writing; its lock says that we live."""
    beginning = f".{path.name}{_DRAFT}"
    _sweep(path.parent, beginning)
    draft = path.with_name(beginning + os.urandom(4).hex())
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, MODE)  # whatever the umask
        locks.try_to_lock(fd)
        yield draft, fd
    finally:
        draft.unlink(missing_ok=True)
        os.close(fd)


def _sweep(folder: Path, beginning: str) -> None:
    """Remove what those who were killed have left."""
    for left in folder.iterdir():
        if left.name.startswith(beginning) and len(left.name) == len(beginning) + 8:
            with contextlib.suppress(OSError):
                if not locks.is_held(left):
                    left.unlink()
