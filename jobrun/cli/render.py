"""How results reach a person: tables, facts and remarks.

Data goes to stdout, remarks to stderr. On a terminal tables are cut to fit and coloured by rich, from `Text`
only, so that no markup in a name is obeyed; NO_COLOR takes the colours alone. Everywhere else, and with
TERM=dumb or in a narrow window, they are plain aligned text that is never cut. Every cell goes through `safe_line`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jobrun.cli.cells import cells, cut, folded, padded
from jobrun.cli.safe import safe_line, safe_text

NARROW = 40  # columns; below this a table that is cut to fit shows nothing but ellipses
LEAST = 8  # cells that are left of a column, however narrow the terminal
GAP = "  "
PROSE = {"state", "retries", "note", "runs", "scheduler"}  # facts that are told in sentences

# Of the eight colours those that can be read on a dark and on a light ground alike; no yellow, no white.
STATE_STYLES = {
    "running": "cyan",
    "succeeded": "green",
    "failed": "red",
    "crashed": "bold red",
    "cancelled": "magenta",
    "expired": "magenta",
    "skipped": "magenta",
    "missed": "red",
    "paused": "magenta",
    "disabled": "magenta",
    "no": "red",
    "firing": "bold red",
    "pending": "magenta",
    "critical": "bold red",
    "warning": "magenta",
}
GRADE_STYLES = {"ok": "green", "warning": "magenta", "problem": "bold red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; the one that may shrink is cut with an ellipsis when a terminal is too narrow."""

    title: str
    is_number: bool = False
    is_state: bool = False  # coloured by its words
    may_shrink: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their headings; a column without a single value is left out."""
    used = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    kept = [columns[i] for i in used]
    shown = [[safe_line(row[i]) for i in used] for row in rows]
    titles = [column.title.upper() for column in kept]
    widths = _widths(kept, [titles, *shown])
    _row([(text, "bold") for text in _fitted(titles, widths, kept)])
    for row in shown:
        styles = [
            STATE_STYLES.get(text, "") if column.is_state else ""
            for text, column in zip(row, kept, strict=True)
        ]
        _row(list(zip(_fitted(row, widths, kept), styles, strict=True)))


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values below each other; pairs without a value are left out.

    A value that is a sentence is broken between words; one that somebody may want to copy is not.
    """
    told = [(name, safe_line(value)) for name, value in pairs if value]
    width = max((len(name) for name, _ in told), default=0)
    for name, value in told:
        lines = _broken(value, indent=width + len(GAP)) if name in PROSE else [value]
        _row([(name.ljust(width), "bold"), (lines[0], "")])
        for more in lines[1:]:
            _row([(" " * width, ""), (more, "")])


def heading(text: str) -> None:
    """Print a heading with an empty line above it."""
    line("")
    for each in _broken(safe_line(text)):
        _row([(each, "bold")])


def height() -> int | None:
    """Return how many lines a drawn page has room for; None where nobody looks at a terminal."""
    return shutil.get_terminal_size().lines if is_fitted() else None


def sentence(*parts: tuple[str, str]) -> int:
    """Print one sentence of texts, each with its style, broken between words on a terminal; return its lines."""
    if not is_fancy():
        paragraph(" ".join(text for text, _ in parts))
        return 1
    from rich.text import Text  # noqa: PLC0415 -- only a terminal pays for rich

    console = _console()
    told = Text(" ").join(Text(safe_line(text), style=style) for text, style in parts)
    lines = told.wrap(console, console.width)
    for each in lines:
        console.print(each, soft_wrap=True)
    return len(lines)


def line(text: str) -> None:
    """Print one line of data; the caller has made it safe."""
    sys.stdout.write(f"{text}\n")


def block(text: str, *, indent: str = "  ") -> None:
    """Print foreign text of several lines, set in."""
    for each in safe_text(text).splitlines():
        line(f"{indent}{each}".rstrip())


def paragraph(text: str) -> None:
    """Print sentences; a terminal gets lines as wide as it is, a pipe one."""
    words(text.split(), indent="")


def words(told: Sequence[str], *, indent: str = "  ") -> None:
    """Print words set in, broken into lines in the same way."""
    for each in _broken(" ".join(map(safe_line, told)), indent=len(indent)):
        line(f"{indent}{each}")


def _broken(text: str, *, indent: int = 0) -> list[str]:
    """Return the lines of a text for a terminal that shows them set in; a pipe gets one."""
    if not sys.stdout.isatty():
        return [text]
    return folded(text, max(_edge() - indent, LEAST))


def _edge() -> int:
    return max(shutil.get_terminal_size().columns, NARROW)


def finding(grade: str, name: str, said: str, todo: str | None) -> None:
    """Print what was found about a subject, and set in below it what to do; a terminal gets lines as wide as it is."""
    head = [(grade.ljust(7), GRADE_STYLES[grade]), (name.ljust(11), "bold")]
    indent = " " * sum(len(text) + len(GAP) for text, _ in head)
    first, *more = _broken(safe_line(said), indent=len(indent))
    _row([*head, (first, "")])
    for each in more:
        line(f"{indent}{each}")
    for each in _broken(safe_line(todo), indent=len(indent) + 2) if todo else ():
        line(f"{indent}  {each}")


def remark(*lines: str) -> None:
    """Tell the person something on stderr that is not data; no line becomes two by what it names.

    A terminal gets lines as wide as it is.
    """
    told = [safe_line(each) for each in lines]
    if sys.stderr.isatty():
        told = [part for each in told for part in folded_for_terminal(each)]
    sys.stderr.write("".join(f"{each}\n" for each in told))


def folded_for_terminal(text: str) -> list[str]:
    """Return the lines of a text as wide as the terminal."""
    return folded(text, _edge())


def ask(question: str) -> bool:
    """Ask on the terminal; anything but yes is no."""
    sys.stderr.write(f"{safe_line(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def can_ask() -> bool:
    """Tell whether there is a person at both ends."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far long work is; the function that it gives takes the number done since.

    `total` None: nobody knows how much it is.
    """
    if not (sys.stderr.isatty() and is_fancy()):
        yield lambda _done: None
        return
    from rich.console import Console  # noqa: PLC0415 -- only a terminal pays for rich
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.advance(task, done)


def is_fitted() -> bool:
    """Tell whether stdout is a terminal that has room for a table, which is cut to fit it."""
    return (
        sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") != "dumb"
        and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        and shutil.get_terminal_size().columns >= NARROW
    )


def is_fancy() -> bool:
    """Tell whether it wants colours, too."""
    return is_fitted() and not os.environ.get("NO_COLOR")


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column; where there is an edge, what may shrink pays for what does not fit."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    if not is_fitted():
        return widths
    edge = shutil.get_terminal_size().columns
    flexible = [place for place, column in enumerate(columns) if column.may_shrink]
    for place in flexible:
        widths[place] = min(widths[place], edge)
    for _ in range(sum(widths) + len(GAP) * (len(widths) - 1) - edge):
        widest = max(flexible, key=lambda place: widths[place], default=0)
        widths[widest] = max(widths[widest] - 1, LEAST)
    return widths


def _fitted(row: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> list[str]:
    return [
        padded(cut(text, width), width, to_the_right=column.is_number)
        for text, width, column in zip(row, widths, columns, strict=True)
    ]


def _row(parts: Sequence[tuple[str, str]]) -> None:
    """Print texts beside each other, each with its style."""
    if not is_fancy():
        line(GAP.join(text for text, _ in parts).rstrip())
        return
    from rich.text import Text  # noqa: PLC0415 -- only a terminal pays for rich

    row = Text(GAP).join(Text(text, style=style) for text, style in parts)
    row.rstrip()  # blanks over the edge would make an empty line
    _console().print(row, soft_wrap=True)


def _console() -> Any:
    from rich.console import Console  # noqa: PLC0415 -- only a terminal pays for rich

    columns = shutil.get_terminal_size().columns  # COLUMNS=0 would leave rich no room at all
    return Console(width=columns, highlight=False, markup=False, emoji=False)
