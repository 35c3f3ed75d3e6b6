"""The skeleton of a TOML document: which key stands in which line, and whether it is safe to parse.

`tomllib` tells no lines of what it has read, and takes seconds for 40 kB of dots. So the statements are walked
through first, as far as they can be understood; what is wrong with the rest `tomllib` says better. Every
document that it could parse within the limits is understood here, so none comes to it unmeasured.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

MAX_LINE = 4096  # bytes
# Of what takes `tomllib` its time, as much as 10,000 entries may need.
MOST = {"\n": 200_000, ",": 100_000, "[": 100_000, "{": 50_000, '"': 300_000, "\\": 200_000}
NAMES = {"\n": "lines", ",": "commas", '"': "quotes", "\\": "backslashes"}
MAX_TABLES = 25_000
MAX_KEYS = 1000  # of one table
MAX_DOTTED = 100_000  # parts of dotted keys in all
MAX_PARTS = 8  # of a dotted key; the time to parse one grows with the square of them
MAX_DEPTH = 32  # of brackets within brackets; `tomllib` calls itself for each

Place = tuple[str, ...]  # the keys that lead to a value

# No group is repeated possessively: Python before 3.11.5 gets that wrong (cpython #106052). None needs it,
# for no part of them could be matched in two ways.
_STRING = r""""(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*+'"""
_PART = rf"(?:[A-Za-z0-9_-]++|{_STRING})"
_KEY = rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART})*"
_END = r"[ \t]*+(?:\#[^\n]*+)?(?:\n|\Z)"
# A statement on one line, as most are; a value in brackets, or over several lines, comes out as `rest`.
_STATEMENT = re.compile(
    rf"[ \t]*+(?:"
    rf"(?P<bracket>\[\[?)[ \t]*+(?P<head>{_KEY})[ \t]*+\]\]?{_END}"
    rf"|(?P<key>{_KEY})[ \t]*+=[ \t]*+(?:(?:(?!'''|\"\"\")(?:{_STRING})|[^\s\"'\[{{\#][^\n\"'\[{{\#]*+){_END}|(?P<rest>))"
    rf"|{_END})"
)
_TOKEN = re.compile(
    r"(?P<open>[\[{])|(?P<close>[\]}])"
    r'|"""(?:[^"\\]++|\\.|"(?!""))*"{3,5}|' + r"'''(?:[^']++|'(?!''))*'{3,5}"
    rf"|(?P<key>{_KEY})|\#[^\n]*+|(?P<newline>\n)|[ \t,=:+]++",
    re.DOTALL,
)
_PARTS = re.compile(_PART)


class TooMuch(Exception):
    """The document would take too long to parse; the first argument is the line, the second says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """Lines count from 1; `twice` are the keys and heads that are there again, each with its two lines."""

    lines: Mapping[Place, int]
    twice: tuple[tuple[Place, int, int], ...]

    def line_of(self, place: Place) -> int:
        """Return the line of a key, or of what it stands in if it has no line of its own."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def skeleton_of(text: str) -> Skeleton:
    """Walk through a document whose lines end with LF; raise `TooMuch` when it had better not be parsed."""
    _check_size(text)
    walk = _Walk(text)
    walk.run()
    return Skeleton(lines=walk.lines, twice=tuple(walk.twice))


def _check_size(text: str) -> None:
    for character, most in MOST.items():
        if text.count(character) > most:
            raise TooMuch(1, f"more than {most} {NAMES.get(character, f'`{character}`')}")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE // 4 and len(line.encode()) > MAX_LINE:  # a character has up to 4 bytes
            raise TooMuch(number, f"more than {MAX_LINE} bytes; text in three quotes may have many lines")


class _Walk:
    """One walk through a document, statement by statement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line = 1
        self._head: Place | None = ()  # None below the head of an array of tables, whose keys may come again
        self._tables = self._keys = self._dotted = 0
        self._given: dict[Place, int] = {}  # lines of what stands there itself
        self.lines: dict[Place, int] = {}  # and of what is above it
        self.twice: list[tuple[Place, int, int]] = []

    def run(self) -> None:
        text, statement, position = self._text, _STATEMENT.match, 0
        while position < len(text) and (found := statement(text, position)):
            position = found.end()
            what = found.lastgroup
            if what == "head":
                self._open(found["head"], is_array=found["bracket"] == "[[")
            elif what is not None:
                self._key(found["key"])
            if what == "rest":
                end = self._end_of_value(position)
                if end is None:
                    return
                self._line += text.count("\n", position, end) - 1
                position = end
            self._line += 1

    def _open(self, key: str, *, is_array: bool) -> None:
        place = self._place_of(key)
        self._tables += 1
        self._keys = 0
        if self._tables > MAX_TABLES:
            raise TooMuch(self._line, f"more than {MAX_TABLES} tables")
        self._head = None if is_array else place
        if is_array:
            self.lines.setdefault(place, self._line)
        else:
            self._note((), place)

    def _key(self, key: str) -> None:
        self._keys += 1
        if self._keys > MAX_KEYS:
            raise TooMuch(self._line, f"more than {MAX_KEYS} keys in one table")
        place = self._place_of(key)
        if self._head is not None:
            self._note(self._head, place)

    def _note(self, head: Place, place: Place) -> None:
        """Keep the line of a place, and of those above it that have none of their own."""
        whole = head + place
        for number in range(len(head) + 1, len(whole)):
            self.lines.setdefault(whole[:number], self._line)
        if whole in self._given:
            self.twice.append((whole, self._given[whole], self._line))
        else:
            self._given[whole] = self.lines[whole] = self._line

    def _place_of(self, key: str) -> Place:
        """Split a dotted key; a part in quotes may hold dots itself."""
        if "." not in key:
            return (_unquoted(key),)
        parts = _PARTS.findall(key)
        if len(parts) > MAX_PARTS:
            raise TooMuch(self._line, f"a key of more than {MAX_PARTS} parts")
        self._dotted += len(parts)
        if self._dotted > MAX_DOTTED:
            raise TooMuch(self._line, f"more than {MAX_DOTTED} parts of dotted keys")
        return tuple(map(_unquoted, parts))

    def _end_of_value(self, position: int) -> int | None:
        """Return where the statement ends whose value begins here; None if that cannot be told."""
        depth, begin = 0, position
        while position < len(self._text):
            found = _TOKEN.match(self._text, position)
            if found is None:
                return None
            position = found.end()
            if found["open"]:
                depth += 1
            elif found["close"]:
                depth -= 1
            elif found["newline"] and depth <= 0:
                return position
            if depth > MAX_DEPTH or (found["key"] and found["key"].count(".") >= MAX_PARTS):
                self._check_token(found, begin, depth)
        return position

    def _check_token(self, found: re.Match[str], begin: int, depth: int) -> None:
        line = self._line + self._text.count("\n", begin, found.start())
        if depth > MAX_DEPTH:
            raise TooMuch(line, f"brackets nested deeper than {MAX_DEPTH}")
        if len(_PARTS.findall(found["key"])) > MAX_PARTS:
            raise TooMuch(line, f"a key of more than {MAX_PARTS} parts")


def _unquoted(part: str) -> str:
    if part[0] not in "\"'":
        return part
    if part[0] == "'" or "\\" not in part:
        return part[1:-1]
    try:
        return str(tomllib.loads(f"x={part}")["x"])
    except ValueError:  # the whole document will not be parsed either
        return part
