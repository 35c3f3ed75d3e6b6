"""How many cells of a terminal a text takes: none for an accent, two for what East Asia writes and emoji."""

from __future__ import annotations

from unicodedata import category, east_asian_width


def cells(text: str) -> int:
    """Return the width of a text in cells.

    >>> [cells(text) for text in ("abc", "\u6f22\u5b57", "e\u0301")]
    [3, 4, 1]
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def cut(text: str, most: int) -> str:
    """Return a text of at most so many cells, with an ellipsis for what is missing.

    >>> cut("abcdef", 4), cut("\u6f22\u5b57\u6f22\u5b57", 4)
    ('abc\u2026', '\u6f22\u2026')
    """
    if cells(text) <= most:
        return text
    left = most - 1
    for place, character in enumerate(text):
        left -= _width(character)
        if left < 0:
            return f"{text[:place]}\u2026"
    return text


def padded(text: str, width: int, *, to_the_right: bool = False) -> str:
    """Return a text with the blanks that make it so many cells wide."""
    blanks = " " * (width - cells(text))
    return blanks + text if to_the_right else text + blanks


def _width(character: str) -> int:
    if category(character) in {"Mn", "Me"}:  # drawn over the character before
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1
