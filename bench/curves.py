"""Curves as an SVG: one line a series, axes logarithmic or even. Light and dark pages show it alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
FONT = 'font-family="sans-serif" font-size="12"'
MOST_DOTS = 30  # of one curve, each a figure that was measured
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888")

Points = Sequence[tuple[float, float]]


def draw(title: str, across: str, up: str, series: Mapping[str, Points], *, even: bool = False) -> str:
    """Return the text of an SVG: both axes are logarithmic, of values above nought, or both even, from nought."""
    axes = _Axes(
        [x for points in series.values() for x, _ in points],
        [y for points in series.values() for _, y in points],
        even=even,
    )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT} fill="#808080">',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, anchor="middle"),
        f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
        *axes.grid(),
    ]
    ends = _spread([axes.y(points[-1][1]) for points in series.values()])
    for (name, points), colour, end in zip(series.items(), _colours(len(series)), ends, strict=True):
        places = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(points) <= MOST_DOTS:
            dots = [(axes.x(x), axes.y(y)) for x, y in points]
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots]
        parts.append(_text(WIDTH - RIGHT + 12, end + 4, name, fill=colour))
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    """Where values lie between two ends, and which have a line and a name."""

    def __init__(self, values: Sequence[float], *, even: bool) -> None:
        self._even = even
        if even:
            step = _step(max(values))
            count = math.ceil(max(values) / step)
            self.named = [(n * step, f"{n * step:,g}") for n in range(count + 1)]
        else:
            first, last = _decades(values)
            self.named = [(10.0**power, _number(power)) for power in range(first, last + 1)]
        self._first, self._last = self._place(self.named[0][0]), self._place(self.named[-1][0])

    def share(self, value: float) -> float:
        """Return how far along a value lies, from 0 to 1."""
        return (self._place(value) - self._first) / (self._last - self._first)

    def _place(self, value: float) -> float:
        return value if self._even else math.log10(value)


class _Axes:
    """Both axes, on the page."""

    def __init__(self, across: Sequence[float], up: Sequence[float], *, even: bool) -> None:
        self._across, self._up = _Axis(across, even=even), _Axis(up, even=even)

    def x(self, value: float) -> float:
        return LEFT + self._across.share(value) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - self._up.share(value) * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> list[str]:
        """Return a line for each named value, with its name."""
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = []
        for value, name in self._across.named:
            x = self.x(value)
            parts.append(_line(x, TOP, x, bottom))
            parts.append(_text(x, bottom + 18, name, anchor="middle"))
        for value, name in self._up.named:
            y = self.y(value)
            parts.append(_line(LEFT, y, right, y))
            parts.append(_text(LEFT - 8, y + 4, name, anchor="end"))
        return parts


def _step(most: float) -> float:
    """Return a round step of which about five reach a value.

    >>> _step(31.0), _step(0.4), _step(0)
    (10.0, 0.1, 0.2)
    """
    rough = (most or 1.0) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * times for times in (1.0, 2.0, 5.0, 10.0) if power * times >= rough * 0.999)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return first, max(last, first + 1)


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _spread(places: Sequence[float], apart: float = 15) -> list[float]:
    """Move names apart that would stand on each other, in their order."""
    moved = list(places)
    order = sorted(range(len(places)), key=lambda n: places[n])
    for above, below in itertools.pairwise(order):
        moved[below] = max(moved[below], moved[above] + apart)
    return moved


def _colours(count: int) -> list[str]:
    return [COLOURS[n % len(COLOURS)] for n in range(count)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#808080" stroke-opacity="0.3"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = "#808080") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'
