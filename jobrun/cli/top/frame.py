"""Where what stands on a screen of so many lines and columns; what does not fit is cut or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import terminal_size

from jobrun.cli.cells import cells, cut, padded, rooms
from jobrun.cli.top.sheets import Cell, Head, Panel, Row, Sheet

LEAST = terminal_size((50, 12))  # columns and lines
GAP = 2
SHRUNK = 8  # cells that are left of a column
BESIDE = 150  # columns from which panels stand beside each other
AIRY = 22  # lines for panels from which an empty one parts them
LEFT = (Panel.RUNNING, Panel.FAILED)

Line = tuple[Cell, ...]  # texts beside each other, with nothing between them
Chosen = Mapping[Panel, str]  # the key of the row that is chosen in each panel


def board(sheets: Sequence[Sheet], size: terminal_size, focus: Panel | None, chosen: Chosen) -> list[Line]:
    """Return the panels as exactly so many lines."""
    if size.columns < BESIDE:
        return _column(sheets, size, focus, chosen)
    left = (size.columns - GAP) * 11 // 20
    sides = (
        (left, [each for each in sheets if each.panel in LEFT]),
        (size.columns - GAP - left, [each for each in sheets if each.panel not in LEFT]),
    )
    columns = [_column(some, terminal_size((width, size.lines)), focus, chosen) for width, some in sides]
    gap = Cell(" " * GAP)
    return [(*filled(one, left), gap, *other) for one, other in zip(*columns, strict=True)]


def whole(sheet: Sheet, width: int | None) -> list[Line]:
    """Return all rows of a panel, uncut unless there is a width."""
    return _lines(sheet, width, max(len(sheet.rows), 1), None)


def filled(line: Line, width: int) -> Line:
    """Return a line that is exactly so many cells wide."""
    kept = fitted(line, width)
    blanks = width - sum(cells(each.text) for each in kept)
    return (*kept, Cell(" " * blanks)) if blanks else kept


def fitted(line: Line, width: int) -> Line:
    """Return what there is room for of a line."""
    kept: list[Cell] = []
    for each in line:
        if width <= 0:
            break
        kept.append(Cell(cut(each.text, width), each.style))
        width -= cells(kept[-1].text)
    return tuple(kept)


def _column(sheets: Sequence[Sheet], size: terminal_size, focus: Panel | None, chosen: Chosen) -> list[Line]:
    """Return panels below each other, as exactly so many lines."""
    shown = list(sheets)
    while len(shown) > 1 and 2 * len(shown) > size.lines:
        shown.remove([each for each in shown if each.panel is not focus][-1])
    wanted = [max(len(sheet.rows), 1) for sheet in shown]
    gaps = len(shown) - 1
    spare = size.lines - len(shown) - sum(wanted)
    air = gaps if size.lines >= AIRY or spare >= gaps else 0
    given = rooms(wanted, size.lines - len(shown) - air)
    lines: list[Line] = []
    for sheet, rows in zip(shown, given, strict=True):
        if lines and air:
            lines.append(())
        key = chosen.get(sheet.panel, "") if sheet.panel is focus else None
        lines += _lines(sheet, size.columns, rows, key)
    return [*lines, *[()] * (size.lines - len(lines))]


def _lines(sheet: Sheet, width: int | None, count: int, key: str | None) -> list[Line]:
    """Return a panel with so many of its rows; `key` is of the chosen one, None in a panel without the focus."""
    used = [place for place in range(len(sheet.heads)) if _is_shown(sheet, place, width)]
    place = _place(sheet.rows, key)
    rows = _window(sheet.rows, place, count)
    heads = [sheet.heads[each] for each in used]
    widths = _widths(heads, [[cells(row.cells[each].text) for each in used] for row in rows], width)
    style = "bold" if key is None else "bold cyan"
    titles = [Cell(head.title.upper(), style) for head in heads]
    lines = [_line("  ", titles, widths, heads)]
    for row in rows:
        is_chosen = place is not None and row is sheet.rows[place]
        shown = [row.cells[each] for each in used]
        if is_chosen:
            shown = [Cell(each.text, f"reverse {each.style}".strip()) for each in shown]
        lines.append(_line("> " if is_chosen else "  ", shown, widths, heads))
    if not sheet.rows and count:
        lines.append((Cell(f"  {sheet.nothing}", "dim"),))
    return lines if width is None else [fitted(line, width) for line in lines]


def _is_shown(sheet: Sheet, place: int, width: int | None) -> bool:
    """Say whether a column stands there: on a screen also without a value, or the others would jump about."""
    head = sheet.heads[place]
    if place == 0:
        return True
    has_value = any(row.cells[place].text for row in sheet.rows)
    if width is None or not head.title:
        return has_value
    return bool(sheet.rows) and width >= head.from_width


def _place(rows: Sequence[Row], key: str | None) -> int | None:
    """Return where the chosen row stands; the first one if it is gone."""
    if key is None or not rows:
        return None
    return next((place for place, row in enumerate(rows) if row.key == key), 0)


def _window(rows: Sequence[Row], place: int | None, count: int) -> Sequence[Row]:
    """Return so many rows, the chosen one among them."""
    first = max(min((place or 0) - count // 2, len(rows) - count), 0)
    return rows[first : first + count]


def _widths(heads: Sequence[Head], rows: Sequence[Sequence[int]], width: int | None) -> list[int]:
    """Return the width of each column; what may shrink pays for what does not fit."""
    widths = [max([cells(head.title), *(row[place] for row in rows)]) for place, head in enumerate(heads)]
    if width is None:
        return widths
    flexible = [place for place, head in enumerate(heads) if head.may_shrink]
    over = sum(widths) + GAP * len(widths) - width
    for place in flexible:  # or the next lines would go cell by cell through a very long text
        gone = max(min(over, widths[place] - width), 0)
        widths[place], over = widths[place] - gone, over - gone
    while over > 0 and (widest := max(flexible, key=lambda place: widths[place], default=None)) is not None:
        if widths[widest] <= SHRUNK:
            break
        widths[widest] -= 1
        over -= 1
    return widths


def _line(mark: str, shown: Sequence[Cell], widths: Sequence[int], heads: Sequence[Head]) -> Line:
    parts = [Cell(mark, shown[0].style if mark.strip() else "")]
    for cell, width, head in zip(shown, widths, heads, strict=True):
        if len(parts) > 1:
            parts.append(Cell(" " * GAP, "reverse" if mark.strip() else ""))
        parts.append(Cell(padded(cut(cell.text, width), width, to_the_right=head.is_number), cell.style))
    return tuple(parts)
