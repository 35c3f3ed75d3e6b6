"""One event, one line on stderr: when, which process, what. Foreign text is escaped."""

from __future__ import annotations

import os
from datetime import datetime


class Log:
    """The log of one process; it keeps its own descriptor, since a job may close or move 2."""

    def __init__(self, who: str, fd: int = 2) -> None:
        self._who = who
        self.fd = fd

    def say(self, text: str) -> None:
        """Write one line; a log that cannot be written stops nobody."""
        when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        line = f"{when} jobrun[{os.getpid()}] {self._who}: {visible}\n"
        try:
            os.write(self.fd, line.encode("utf-8", "backslashreplace"))
        except OSError:
            return
