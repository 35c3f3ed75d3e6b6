"""How far a WAL is filled: emptied, it may be as long as before (sqlite.org/fileformat2.html#walformat)."""

from __future__ import annotations

import os

_HEADER = 32
_SALTS = slice(16, 24)  # of the header; drawn anew whenever the WAL begins anew
_FRAME = 24  # bytes before each page, the salts at 8


def is_filled(path: str | os.PathLike[str], size: int) -> bool:
    """Say whether what was written since the WAL last began anew reaches as far as `size` bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        header = os.pread(fd, _HEADER, 0)
        frame = _FRAME + int.from_bytes(header[8:12], "big")
        last = _HEADER + size // frame * frame
        return len(header) == _HEADER and os.pread(fd, 8, last + 8) == header[_SALTS]
    finally:
        os.close(fd)  # SQLite's locks are on other files, so that this gives up none of them
