"""Lines as what a terminal obeys; of a screen only those that have changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.console import COLOR_SYSTEMS, Console
from rich.style import Style
from rich.text import Text

from jobrun.cli.cells import cells
from jobrun.cli.top.frame import Line

_ERASE = "\x1b[K"  # to the end of the line; after its last cell it would take that


class Painter:
    """Knows what stands on a screen, and which colours its terminal has."""

    def __init__(self) -> None:
        console = Console(force_terminal=True)
        self._colors = COLOR_SYSTEMS.get(console.color_system or "", None)
        self._is_plain = bool(os.environ.get("NO_COLOR"))
        self._there: list[Line] = []

    def forget(self) -> None:
        """Paint everything anew next time: something else has written there."""
        self._there = []

    def changes(self, lines: Sequence[Line], columns: int) -> str:
        """Return what makes the screen show these lines."""
        told = []
        if len(self._there) != len(lines):
            told.append("\x1b[0m\x1b[2J")
            self._there = [()] * len(lines)
        for place, (line, before) in enumerate(zip(lines, self._there, strict=True), 1):
            if line != before:
                is_full = sum(cells(each.text) for each in line) >= columns
                told.append(f"\x1b[{place};1H{self.painted(line)}" + ("" if is_full else _ERASE))
        self._there = list(lines)
        return "".join(told)

    def painted(self, line: Line) -> str:
        """Return a line with its colours, or without where nobody wants them."""
        return "".join(
            _style(each.style, is_plain=self._is_plain).render(each.text, color_system=self._colors)
            for each in line
        )


def texts(lines: Iterable[Line]) -> list[Text]:
    """Return lines as rich prints them."""
    return [Text.assemble(*((each.text, each.style) for each in line)) for line in lines]


def plain(line: Line) -> str:
    return "".join(each.text for each in line).rstrip()


@lru_cache
def _style(words: str, *, is_plain: bool) -> Style:
    style = Style.parse(words)
    return style.without_color if is_plain else style
