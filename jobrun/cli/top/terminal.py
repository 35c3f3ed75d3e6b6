"""The terminal while a screen is on it, and put back as it was however that ends."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
import termios
from types import TracebackType
from typing import Any, Self

from jobrun.errors import UsageError

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # other screen, no cursor, no wrapping
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_LOCAL, _INPUT = 3, 0  # places in what tcgetattr(3) tells
_READ = 4096
_TRIES = 100


class Terminal:
    """Standard input and output as a screen with keys, for the length of a block."""

    def __init__(self) -> None:
        """Raise `UsageError` where there is no such terminal."""
        if not (os.isatty(0) and os.isatty(1)) or os.environ.get("TERM", "dumb") == "dumb":
            hint = "`jobrun top --once` prints what it would show, --json for a program"
            raise UsageError("top needs a terminal that can move its cursor", hint=hint)
        self._before: Any = None
        self._is_taken = False

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(0)
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def enter(self) -> None:
        """Take the screen, and keys one by one; a ^S does not hold us up, as no signal could end us then."""
        ours = [*self._before[:6], list(self._before[6])]
        ours[_LOCAL] &= ~(termios.ECHO | termios.ICANON)
        ours[_INPUT] &= ~(termios.IXON | termios.ICRNL)
        ours[6][termios.VMIN], ours[6][termios.VTIME] = 1, 0
        _set(ours)
        if not self._is_taken:  # twice would save the cursor of the wrong screen
            self.write(_ENTER)
        self._is_taken = True

    def leave(self) -> None:
        """Give it back as it was; keys that nobody read are not left for the shell. One that is gone needs nothing."""
        with contextlib.suppress(OSError):
            self.write(_LEAVE)
        self._is_taken = False
        with contextlib.suppress(termios.error):
            termios.tcflush(0, termios.TCIFLUSH)
        with contextlib.suppress(termios.error):
            _set(self._before)

    def size(self) -> os.terminal_size:
        """Return what stands free; a terminal that does not tell has 80 columns and 24 lines."""
        with contextlib.suppress(OSError):
            if all(size := os.get_terminal_size(1)):
                return size
        return os.terminal_size((80, 24))

    def takes_output(self) -> bool:
        """Say whether writing would not have to wait: one that is slow gets fewer pictures."""
        return bool(select.select([], [1], [], 0)[1])

    def write(self, text: str) -> None:
        """Write at once; what the terminal cannot show becomes `?`."""
        data = text.encode(sys.stdout.encoding or "ascii", "replace")
        while data:
            data = data[os.write(1, data) :]

    def read(self) -> bytes:
        """Return the keys that were pressed; nothing when the terminal is gone."""
        try:
            return os.read(0, _READ)
        except OSError:  # EIO: it was hung up
            return b""


def _set(attributes: list[Any]) -> None:
    """Set what tcsetattr(3) sets; in the background it is stopped there, and interrupted when it goes on."""
    for _ in range(_TRIES):
        try:
            return termios.tcsetattr(0, termios.TCSANOW, attributes)
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise
    return None
