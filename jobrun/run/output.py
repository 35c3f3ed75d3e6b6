"""What a job prints: straight to a file while it runs, then its head and its tail are kept."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from jobrun.model import NO_OUTPUT, Output

HEAD = 64 * 1024  # bytes
TAIL = 192 * 1024
LIVE_CAP = 100 * 1024 * 1024  # above this the middle of a growing file is given back to the disk

_FALLOC_FL_KEEP_SIZE = 0x1
_FALLOC_FL_PUNCH_HOLE = 0x2
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def open_output(path: Path) -> int:
    """Open an empty file for the output of attempts."""
    return os.open(path, _FLAGS | os.O_TRUNC, 0o600)


def collect(fd: int) -> Output:
    """Return head, tail and size of what was printed."""
    size = os.fstat(fd).st_size
    if not size:
        return NO_OUTPUT
    if size <= HEAD + TAIL:
        return Output(head=os.pread(fd, size, 0), size=size)
    return Output(head=os.pread(fd, HEAD, 0), tail=os.pread(fd, TAIL, size - TAIL), size=size)


def collect_file(path: Path) -> Output:
    """Return head, tail and size of an output file, nothing if it is missing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return Output()
    try:
        return collect(fd)
    finally:
        os.close(fd)


def kept(output: Output) -> bytes:
    """Return head and tail, with a line between them that names what was cut."""
    return output.head + (cut_line(output.cut, output.head) if output.cut else b"") + output.tail


def cut_line(count: int, before: bytes) -> bytes:
    """Return the line that stands for missing bytes, on a line of its own after what was `before`."""
    return (b"" if before.endswith(b"\n") else b"\n") + b"[%d bytes cut here]\n" % count


def thin_out(path: Path) -> bool:
    """Give the middle of a huge output back to the disk, so that no job fills it; True if it did.

    The file keeps its size, so that appending goes on and the bytes are still counted.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        if found.st_blocks * 512 <= LIVE_CAP:
            return False
        return _punch(fd, HEAD, found.st_size - HEAD - 2 * TAIL)
    finally:
        os.close(fd)


def _punch(fd: int, start: int, length: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    mode = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
    return bool(libc.fallocate(fd, mode, ctypes.c_long(start), ctypes.c_long(length)) == 0)
