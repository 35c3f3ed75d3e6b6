"""Small pictures of numbers: a curve in one line, bars below each other. Blocks, or ASCII where these are missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise

_BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ASCII = ".:-=+*#@"


def curve(values: Sequence[int], width: int) -> str:
    """Return values as heights, brought together to so many cells; nought is a blank.

    >>> curve([0, 1, 4, 8], 4).replace(_ASCII[-1], _BLOCKS[-1])[-1] == _BLOCKS[-1]
    True
    """
    sums = merged(values, width)
    levels, most = _BLOCKS if has_blocks() else _ASCII, max(sums, default=0)
    return "".join(" " if not each else levels[(each * len(levels) - 1) // most] for each in sums)


def bar(value: int, most: int, width: int) -> str:
    """Return a value as a length, `most` as long as `width` cells; what is there at all can be seen.

    >>> len(bar(1, 1, 10)), bar(0, 1, 10)
    (10, '')
    """
    if not value:
        return ""
    if not has_blocks():
        return "#" * max(value * width // most, 1)
    eighths = max(value * width * 8 // most, 1)
    return (_EIGHTHS[-1] * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def merged(values: Sequence[int], width: int) -> list[int]:
    """Return the sums of as many groups of neighbours.

    >>> merged([1, 2, 3, 4], 2), merged([1, 2], 4)
    ([3, 7], [1, 2])
    """
    count = min(width, len(values))
    edges = [place * len(values) // count for place in range(count + 1)] if count else [0]
    return [sum(values[begin:end]) for begin, end in pairwise(edges)]


def has_blocks() -> bool:
    """Tell whether the other end can show blocks."""
    if os.environ.get("TERM") == "dumb":
        return False
    try:
        (_BLOCKS + _EIGHTHS).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
