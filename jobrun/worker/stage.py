"""The descriptors and streams a call sees: input from nowhere, output into the worker's file."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TextIO

from jobrun.model import Output
from jobrun.run import output


class Stage:
    """Standard input, output and error of this worker, replaced for good when it starts."""

    def __init__(self, logs: Path, worker: str) -> None:
        """Point 0 at nothing, and 1 and 2 at this worker's output file."""
        self._path = logs / worker
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.fd = output.open_output(self._path)
        self._put_in_place()
        self._streams = _new_streams()
        self._restore_streams()

    def discard(self) -> None:
        """Let what the next attempt prints go nowhere."""
        os.dup2(self._null, 1)
        os.dup2(self._null, 2)

    def collect(self, *, is_shared: bool = False) -> Output:
        """Return what the attempt printed; what follows it live keeps the old file to read to its end.

        `is_shared`: the attempt may have left behind what goes on printing.
        """
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # whatever a task put there
                stream.flush()
        printed = output.collect(self.fd)
        self._restore()
        if printed.size or is_shared:
            self.renew()
        self._restore_streams()
        return printed

    def renew(self) -> None:
        """Take a new file: somebody may still read the old one, or what escaped may write into it."""
        self._path.unlink(missing_ok=True)
        old, self.fd = self.fd, output.open_output(self._path)
        os.close(old)
        self._put_in_place()

    def _restore(self) -> None:
        """Undo what a task did to descriptors 0 to 2."""
        try:
            is_untouched = [_identity(fd) for fd in (0, 1, 2)] == self._in_place
        except OSError:
            is_untouched = False
        if not is_untouched:
            self._put_in_place()

    def _restore_streams(self) -> None:
        """Undo what a task did to the streams; what it closed or took apart is made anew."""
        if not all(map(_is_usable, self._streams)):
            self._streams = _new_streams()
        sys.stdin, sys.stdout, sys.stderr = self._streams

    def _put_in_place(self) -> None:
        os.dup2(self._null, 0)
        os.dup2(self.fd, 1)
        os.dup2(self.fd, 2)
        self._in_place = [_identity(fd) for fd in (0, 1, 2)]


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _new_streams() -> tuple[TextIO, TextIO, TextIO]:
    return io.TextIOWrapper(io.FileIO(0, closefd=False)), _writer(1), _writer(2)


def _is_usable(stream: TextIO) -> bool:
    try:
        return not stream.closed
    except ValueError:  # detached
        return False


def _writer(fd: int) -> io.TextIOWrapper:
    # Straight to the file: what was printed must be there when the process is killed.
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
