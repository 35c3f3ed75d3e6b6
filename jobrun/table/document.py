"""A TOML document, parsed, or why it cannot be."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from jobrun.errors import UsageError
from jobrun.table.problems import TableError
from jobrun.table.skeleton import Skeleton, TooMuch, skeleton_of

_SAID = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)
_TWICE = ("Cannot declare", "Cannot overwrite")
_CRONTAB = re.compile(
    r"^[ \t]*(?:@(?:reboot|hourly|daily|midnight|weekly|monthly|yearly|annually)"
    r"|[\d*][\d*,/-]*[ \t]+[\d*][\d*,/-]*[ \t]+[\d*][\d*,/-]*[ \t]+[\w*,/-]+[ \t]+[\w*,/-]+)[ \t]+\S",
    re.MULTILINE,
)
_HINTS = {
    "Invalid value": "text stands in quotes",
    "Illegal character '\\n'": "a quote is missing: only text in three quotes has several lines",
    "Unescaped '\\' in a string": "in '...' a backslash is itself",
}


def parse(path: Path, text: str) -> tuple[dict[str, Any], Skeleton]:
    """Return what a document says, and in which lines. Raises `TableError`, or `UsageError` for a crontab."""
    text = text.replace("\r\n", "\n")
    try:
        skeleton = skeleton_of(text)
    except TooMuch as too_much:
        line, why = too_much.args
        raise TableError(path, [(line, f" {why}")]) from None
    try:
        return tomllib.loads(text), skeleton
    except ValueError as error:  # of which a syntax error is one, and a number of 5,000 digits another
        if _CRONTAB.search(text):
            raise UsageError(
                f"`{path}` is a crontab, not a table",
                hint=f"`jobrun cron import {path}` prints a table of it",
            ) from None
        raise TableError(path, _faults(str(error), text, skeleton)) from None


def _faults(said: str, text: str, skeleton: Skeleton) -> list[tuple[int, str]]:
    if said.startswith(_TWICE) and skeleton.twice:
        heads = {place for place, _, _ in skeleton.twice}
        return [
            (second, f" {'.'.join(place)}: stands here again, after line {first}")
            for place, first, second in skeleton.twice
            if not any(place[:length] in heads for length in range(1, len(place)))  # told with its head
        ]
    found = _SAID.fullmatch(said)
    if found is None:
        return [(1, f" {said}")]
    what = found["what"]
    hint = f"; {_HINTS[what]}" if what in _HINTS else ""
    if found["line"] is None:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    else:
        line, column = int(found["line"]), int(found["column"])
    return [(line, f"{column}: {what[:1].lower()}{what[1:]}{hint}")]
