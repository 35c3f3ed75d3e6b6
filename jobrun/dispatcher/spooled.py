"""Ends that could not be written into the job file, kept beside it until a recovery can do that.

A file named by the token of its attempt holds the message that told of the end.
"""

from __future__ import annotations

import os
from pathlib import Path

from jobrun.wire.messages import Ended
from jobrun.wire.packing import pack, unpack

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def keep(spool: Path, ended: Ended) -> None:
    """Write an end to disk. Raises OSError."""
    draft = spool / f"{ended.token}.new"
    try:
        with open(os.open(draft, _FLAGS, 0o600), "wb") as file:
            file.write(pack(ended))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(spool / ended.token)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync(spool)


def read(spool: Path, token: str) -> Ended | None:
    """Return the end that was kept of an attempt, if one was and can be read."""
    try:
        found = unpack((spool / token).read_bytes())
    except (OSError, ValueError, TypeError, KeyError, StopIteration):  # missing, or damaged like so much else
        return None
    return found if isinstance(found, Ended) and found.token == token else None


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
