"""What a command printed, passed on as it is; made harmless where a terminal shows it."""

from __future__ import annotations

import os
import sys

from jobrun.cli.safe import safe_text

CHUNK = 1 << 16


def write(data: bytes) -> None:
    """Write to standard output at once."""
    if sys.stdout.isatty():
        sys.stdout.write(safe_text(data.decode("utf-8", "backslashreplace")))
        sys.stdout.flush()
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class Shower:
    """Shows the output file of an attempt while it grows, and that of the next one from its beginning."""

    def __init__(self) -> None:
        self._offset = 0
        self._file = (0, 0)
        self._is_taken = True  # else whoever read it has gone, and the command goes on

    def __call__(self, fd: int) -> None:
        """Show what is new."""
        found = os.fstat(fd)
        if (found.st_dev, found.st_ino) != self._file:
            self._file, self._offset = (found.st_dev, found.st_ino), 0
        while self._is_taken and (chunk := os.pread(fd, CHUNK, self._offset)):
            self._offset += len(chunk)
            try:
                write(chunk)
            except OSError:
                self._is_taken = False
