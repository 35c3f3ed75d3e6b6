"""Endings that no store could take yet, as files: they outlive their worker, and are applied after its death.

One file for each attempt, named after its token; who applies it does so by the same guarded UPDATE as ever.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from jobrun.wire.messages import Ended
from jobrun.wire.packing import pack, unpack

_PREFIX = "end-"
_DRAFT = ".new"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def put(spool: Path, ended: Ended) -> None:
    """Keep an ending, power cuts included. Raises OSError."""
    path = _path(spool, ended.token)
    draft = path.with_suffix(_DRAFT)
    try:
        with open(os.open(draft, _FLAGS, 0o600), "wb") as file:
            file.write(pack(ended))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(spool)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def find(spool: Path, token: str) -> Ended | None:
    """Return the ending that was kept of an attempt; None if there is none that can be read."""
    try:
        found = unpack(_path(spool, token).read_bytes())
    except (OSError, ValueError, LookupError, TypeError, StopIteration):  # the last: of the JSON scanner
        return None
    return found if isinstance(found, Ended) and found.token == token else None


def remove(spool: Path, token: str) -> None:
    """Forget an ending that is settled."""
    with contextlib.suppress(OSError):
        _path(spool, token).unlink(missing_ok=True)


def name(token: str) -> str:
    """Return the name of the file that keeps the ending of an attempt."""
    return f"{_PREFIX}{token}"


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _path(spool: Path, token: str) -> Path:
    return spool / name(token)
