"""A page of text that fills the screen: what a job prints, while it does; all about one; the keys."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from os import terminal_size

from jobrun.cli.cells import cells
from jobrun.cli.safe import safe_text
from jobrun.cli.top.frame import Line, fitted
from jobrun.cli.top.sheets import Cell
from jobrun.cli.top.steering import PAGE

MOST = 10_000  # lines that are kept of what a job prints, the last ones
TAB = 8

_MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "enter": 1}
_PAGES = {"page-up": -1, "b": -1, "page-down": 1, "f": 1}
_FAR = {"home": -(10**9), "g": -(10**9), "end": 10**9, "G": 10**9}


class Pager:
    """Text and how far it is scrolled; at its end it stays there, whatever is added."""

    def __init__(self, title: str, text: str = "", *, at_end: bool = False) -> None:
        self.title = title
        self.status = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._lines = text.splitlines()
        self._is_open = False  # the last line has no end yet
        self._folded: list[str] = []
        self._folded_for: int | None = None
        self._top = 0
        self._at_end = at_end

    @property
    def is_empty(self) -> bool:
        return not self._lines

    def feed(self, data: bytes) -> None:
        """Add what a job has printed."""
        text = safe_text(self._decoder.decode(data))
        if not text:
            return
        first, *others = text.split("\n")
        if self._is_open and self._lines:
            self._lines[-1] += first
        else:
            self._lines.append(first)
        self._lines += others
        self._is_open = bool(self._lines[-1])
        if not self._is_open:
            self._lines.pop()
        del self._lines[:-MOST]
        self._folded_for = None

    def pressed(self, key: str, lines: int) -> None:
        """Scroll; the page has so many lines."""
        step = _MOVES.get(key) or _PAGES.get(key, 0) * max(lines - 1, PAGE // 5) or _FAR.get(key, 0)
        last = max(len(self._folded) - lines, 0)
        self._top = max(min(self._top + step, last), 0)
        if step:
            self._at_end = self._top == last and step > 0

    def screen(self, size: terminal_size) -> list[Line]:
        """Return the page as exactly so many lines: a title, text, what the keys do."""
        height = size.lines - 2
        if self._folded_for != size.columns:
            self._folded = [part for line in self._lines for part in folded(line, size.columns)]
            self._folded_for = size.columns
        last = max(len(self._folded) - height, 0)
        self._top = last if self._at_end else min(self._top, last)
        shown: list[Line] = [(Cell(line),) for line in self._folded[self._top : self._top + height]]
        shown += [()] * (height - len(shown))
        keys = "q back  arrows, page up and down, g G move"
        return [
            fitted((Cell(self.title, "bold"), Cell(f"  {self.status}" if self.status else "")), size.columns),
            *shown,
            fitted((Cell(keys, "dim"),), size.columns),
        ]


def folded(line: str, width: int) -> Iterator[str]:
    r"""Yield the pieces of a line that are so many cells wide.

    >>> list(folded("abcdef", 4)), list(folded("", 4)), list(folded("a\tb", 80))
    (['abcd', 'ef'], [''], ['a       b'])
    """
    text = line.expandtabs(TAB)
    if text.isascii():
        yield from (text[place : place + width] for place in range(0, max(len(text), 1), width))
        return
    start = used = 0
    for place, character in enumerate(text):
        wide = cells(character)
        if used + wide > width:
            yield text[start:place]
            start, used = place, 0
        used += wide
    yield text[start:]
