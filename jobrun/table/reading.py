"""Reading a file that decides what runs: only one that nobody else could have written.

Whoever may write such a file runs code as the one who reads it. The checks are those of cronie (database.c), and
of every folder that leads there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jobrun.errors import Refused, UsageError
from jobrun.units import format_size
from jobrun.ways import weak_step

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY  # a pipe must not hold us up


def read_trusted(path: Path, *, limit: int) -> str:
    """Return the text of a file of at most `limit` bytes.

    Raises `UsageError` for what cannot be read or is no UTF-8, and `Refused` for what others can change.
    """
    try:
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            _check_file(path, found)
            data = file.read(limit + 1)
            is_whole = _version(found) == _version(os.fstat(descriptor))
        _check_folders(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read `{path}`: {_reason(error)}") from None
    if len(data) > limit:
        raise UsageError(f"`{path}` is larger than {format_size(limit)}")
    if not is_whole:
        raise UsageError(f"`{path}` was written to while it was read", hint="try again")
    return _decoded(path, data)


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"cannot read `{path}`: it is no regular file")
    _check_owner(path, found)
    if who := _others(found):
        raise Refused(f"`{path}` can be written by {who}", hint=f"chmod go-w {path}")


def _check_folders(path: Path) -> None:
    """Refuse a file that somebody else can put another one in place of; what runs as root is for root alone."""
    is_root = os.geteuid() == 0
    ours = (0, os.geteuid())
    if found := weak_step(path, owners=ours, groups=is_root):
        step, how = found
        raise Refused(
            f"others can put another file in place of `{path}`: `{step}` {how}",
            hint=f"chmod go-w {step}" if "written" in how else None,
        )


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise Refused(
            f"`{path}` belongs to another user (uid {found.st_uid})", hint=f"chown {os.geteuid()} {path}"
        )


def _others(found: os.stat_result) -> str:
    if found.st_mode & stat.S_IWOTH:
        return "everybody"
    return "its group" if found.st_mode & stat.S_IWGRP else ""


def _version(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _decoded(path: Path, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(f"`{path}` is UTF-16, not UTF-8", hint=f"iconv -f UTF-16 -t UTF-8 {path}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"`{path}` is not valid UTF-8 at byte {error.start + 1}, in line {line}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(
            f"`{path}` holds a NUL at byte {data.index(0) + 1}, in line {line}", hint="is it UTF-16?"
        )
    if text.startswith("\ufeff"):
        raise UsageError(
            f"`{path}` begins with a byte order mark (U+FEFF)", hint="save it as UTF-8 without one"
        )
    return text
