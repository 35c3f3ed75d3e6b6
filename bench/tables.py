"""Tables that read well as they are and as Markdown, and the figures in them."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """Return a table with a head: the first columns, which hold words, to the left, figures to the right."""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    rule = ["-" * width if n < words else "-" * (width - 1) + ":" for n, width in enumerate(widths)]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        cells = [
            cell.ljust(width) if n < words else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def whole(value: float | None) -> str:
    """Return a figure without decimals, or that there is none."""
    return "-" if value is None else f"{value:,.0f}"


def at(values: Sequence[float], percent: int) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) * percent // 100, len(values) - 1)]


def spread(values: Sequence[float], *percents: int, digits: int = 2) -> list[str]:
    """Return percentiles of sorted values as cells."""
    return [f"{at(values, percent):.{digits}f}" for percent in percents]
