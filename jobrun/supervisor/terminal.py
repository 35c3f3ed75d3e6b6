"""The terminal that a group was started on: a SIGHUP means its end, or else a reload."""

from __future__ import annotations

import os
import termios


class Terminal:
    """What standard error was when the group began."""

    def __init__(self) -> None:
        self._was_there = os.isatty(2)

    def has_gone(self) -> bool:
        """Say whether there was a terminal, and was hung up: it answers with EIO then (termios(3))."""
        if not self._was_there:
            return False
        try:
            termios.tcgetattr(2)
        except termios.error:
            return True
        return False
