"""One event, one line on stderr: when, which process, what. Foreign text is escaped."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

from jobrun.errors import JobrunError

PIPE_LINE = 4096  # bytes: what is longer may come apart between those of others (PIPE_BUF of pipe(7))


class Level(IntEnum):
    """As syslog(3) numbers them."""

    ERROR = 3
    WARNING = 4
    INFO = 6
    DEBUG = 7


class Form(StrEnum):
    TEXT = "text"
    JSON = "json"


# What may be told: programs find it by its word, which stays as it is.
EVENTS: Mapping[str, Level] = {
    "started": Level.INFO,
    "stopping": Level.INFO,
    "hurrying": Level.INFO,
    "stacks": Level.INFO,
    "worker-ended": Level.WARNING,
    "worker-replaced": Level.INFO,
    "cannot-start": Level.ERROR,
    "office-ended": Level.WARNING,
    "file-made": Level.INFO,
    "file-waits": Level.WARNING,
    "file-lost": Level.ERROR,
    "message-lost": Level.WARNING,
    "table-taken": Level.INFO,
    "table-changed": Level.INFO,
    "table-problem": Level.WARNING,
    "clock-set": Level.WARNING,
    "ping-failed": Level.WARNING,
    "alert": Level.WARNING,
    "alerts-wait": Level.WARNING,
    "file-grows": Level.WARNING,
    "queues-left": Level.WARNING,
    "import-path": Level.WARNING,
    "recovered": Level.WARNING,
    "job-begun": Level.DEBUG,
    "job-ended": Level.DEBUG,
    "job-retried": Level.WARNING,
    "job-failed": Level.ERROR,
    "job-late": Level.WARNING,
    "refused": Level.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How lines are written, and which; `is_journal`: the reader knows the time, and wants the level."""

    form: Form = Form.TEXT
    most: Level = Level.INFO
    is_journal: bool = False


_style = Style()


def adopt(style: Style) -> None:
    """Write all lines so from now on, in this process and in those that it forks."""
    global _style  # noqa: PLW0603 -- a group has one log
    _style = style


def is_journal(environ: Mapping[str, str], fd: int = 2) -> bool:
    """Say whether a descriptor leads to the journal (JOURNAL_STREAM of systemd.exec(5))."""
    with contextlib.suppress(OSError):
        found = os.fstat(fd)
        return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


def is_told(event: str) -> bool:
    """Say whether such a line is written at all, for whom it costs something to word it."""
    return EVENTS[event] <= _style.most


class Log:
    """The log of one process; it keeps its own descriptor, since a job may close or move 2."""

    def __init__(self, who: str, fd: int = 2) -> None:
        self._who = who
        self.fd = fd
        self._lost = 0  # lines that nobody took

    def say(self, event: str, text: str, **ids: float | str | None) -> None:
        """Write one line; a log that cannot be written stops nobody. `ids` are for programs."""
        if not is_told(event):
            return
        if self._lost and self._write(
            self._line("message-lost", f"{self._lost} lines lost: nobody read", {})
        ):
            self._lost = 0
        if not self._write(self._line(event, text, ids)):
            self._lost += 1

    def refuse(self, error: JobrunError) -> None:
        """Say to the person who started us why nothing begins, as any command would."""
        hint = () if error.hint is None else (f"hint: {error.hint}",)
        if _style.form is Form.JSON:
            self.say("refused", "; ".join((error.message, *error.details, *hint)))
            return
        told = (f"jobrun: {error.message}", *error.details, *hint)
        self._write("".join(f"{_visible(line)}\n" for line in told))

    def _line(self, event: str, text: str, ids: Mapping[str, int | float | str | None]) -> str:
        level = EVENTS[event]
        head = f"<{level.value}>" if _style.is_journal else ""
        if _style.form is Form.JSON:
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            known = {name: value for name, value in ids.items() if value is not None}
            told = {"at": at, "level": level.name.lower(), "who": self._who, "event": event, "message": text}
            return f"{head}{json.dumps({**told, **known})}\n"
        when = "" if _style.is_journal else datetime.now().astimezone().isoformat(" ", "seconds") + " "
        return f"{head}{when}jobrun[{os.getpid()}] {self._who}: {_visible(text)}\n"

    def _write(self, text: str) -> bool:
        """Write without waiting for a reader; False if there was no room."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            _write_at_once(self.fd, data)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True


def _write_at_once(fd: int, data: bytes) -> None:
    """Write, or raise BlockingIOError where that would wait; the descriptor of others is left as it is."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        os.write(fd, data)
        return
    try:  # a pipe or terminal opened anew has a flag of its own, which its other users do not get
        own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        os.write(fd, data)  # a socket, as the journal's, or a terminal of another user
        return
    try:
        os.write(own, data)
    finally:
        os.close(own)


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
