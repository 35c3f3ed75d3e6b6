"""One event, one line on stderr: when, which process, what. Foreign text is escaped."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime

from jobrun.errors import JobrunError


class Log:
    """The log of one process; it keeps its own descriptor, since a job may close or move 2."""

    def __init__(self, who: str, fd: int = 2) -> None:
        self._who = who
        self.fd = fd

    def say(self, text: str) -> None:
        """Write one line; a log that cannot be written stops nobody."""
        when = datetime.now().astimezone().isoformat(" ", "seconds")
        self._write(f"{when} jobrun[{os.getpid()}] {self._who}: {_visible(text)}\n")

    def refuse(self, error: JobrunError) -> None:
        """Say to the person who started us why nothing begins, as any command would."""
        hint = () if error.hint is None else (f"hint: {error.hint}",)
        told = (f"jobrun: {error.message}", *error.details, *hint)
        self._write("".join(f"{_visible(line)}\n" for line in told))

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.fd, text.encode("utf-8", "backslashreplace"))


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
