"""How many cells of a terminal a text takes: none for an accent, two for what East Asia writes and emoji."""

from __future__ import annotations

from collections.abc import Sequence
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


def folded(text: str, width: int) -> list[str]:
    """Return the lines of a text that is broken between words, where a line would be wider than so many cells.

    >>> folded("one two three", 8), folded("\u6f22\u5b57 \u6f22\u5b57", 6), folded("", 6)
    (['one two', 'three'], ['\u6f22\u5b57', '\u6f22\u5b57'], [''])
    """
    lines: list[str] = []
    for word in text.split():
        if lines and cells(lines[-1]) + 1 + cells(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def padded(text: str, width: int, *, to_the_right: bool = False) -> str:
    """Return a text with the blanks that make it so many cells wide."""
    blanks = " " * (width - cells(text))
    return blanks + text if to_the_right else text + blanks


def rooms(wanted: Sequence[int], room: int) -> list[int]:
    """Share lines among tables that want so many: each in turn gets one more until none are left.

    >>> rooms([9, 1, 4], 8), rooms([2, 1, 1], 8)
    ([4, 1, 3], [2, 1, 1])
    """
    given = [0] * len(wanted)
    while room > 0 and given != list(wanted):
        for place, most in enumerate(wanted):
            if room > 0 and given[place] < most:
                given[place] += 1
                room -= 1
    return given


def _width(character: str) -> int:
    if category(character) in {"Mn", "Me"}:  # drawn over the character before
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1
