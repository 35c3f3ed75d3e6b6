"""A shell line taken apart, as far as that leaves no doubt: words, operators, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 4096  # characters

_SUBSTITUTION = r"\$\(\([^()'\"`]*\)\)|\$\[[^][()'\"`]*\]|\$\([^()'\"`\\]*\)|\$\{[^{}'\"`\\]*\}|\$\w+|\$[?$!@*-]|`[^`'\"\\]*`"
_PIECE = re.compile(
    rf"""(?P<plain>[^\s'"\\$`;|&()<>*?\[\]{{}}~]+)
    | \\(?P<escaped>[^\n])
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\$`]|\\.)*)"
    | (?P<open>"(?:[^"\\$`]|\\.|{_SUBSTITUTION}|\$(?=[\s"]))*"|{_SUBSTITUTION}|[*?\[\]{{}}~$])""",
    re.VERBOSE | re.DOTALL,
)
_OPERATOR = re.compile(r"&&|\|\||;;|[0-9]*(?:>>|>&|<&|>\||<<|<>|[<>])|&>>?|[;|&()]")
_BLANKS = (" ", "\t")
_ENDS = frozenset(["", *" \t;|&()<>"])  # of a word
_IN_DOUBLE_QUOTES = re.compile(r'\\([$`"\\])')
_REDIRECTION = re.compile(r"[0-9]*[<>].*|&>>?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A word or an operator; `literal` is the value of a word that the shell would not change."""

    text: str
    start: int
    end: int
    literal: str | None
    is_operator: bool = False

    @property
    def is_control(self) -> bool:
        """Tell whether a simple command ends here."""
        return self.is_operator and _REDIRECTION.fullmatch(self.text) is None


def scan(line: str) -> tuple[Token, ...] | None:
    """Return the tokens of a line; None for what only a shell could be trusted to read.

    That is here-documents, comments, several lines, open quotes, quotes within substitutions, and what is
    longer than a line of a table.

    >>> [token.text for token in scan("cd /srv && ./run 'a b' >/dev/null 2>&1")]
    ['cd', '/srv', '&&', './run', "'a b'", '>', '/dev/null', '2>&', '1']
    """
    if len(line) > LONGEST:
        return None
    tokens = []
    place = _past_blanks(line, 0)
    while place < len(line):
        token = _operator(line, place) or _word(line, place)
        if token is None:
            return None
        tokens.append(token)
        place = _past_blanks(line, token.end)
    return tuple(tokens)


def is_simple(tokens: Sequence[Token]) -> bool:
    """Tell whether this is one command with its redirections."""
    return not any(token.is_control for token in tokens)


def _past_blanks(line: str, place: int) -> int:
    while line.startswith(_BLANKS, place):
        place += 1
    return place


def _operator(line: str, place: int) -> Token | None:
    found = _OPERATOR.match(line, place)
    if found is None or found[0].endswith("<<"):
        return None
    return Token(text=found[0], start=place, end=found.end(), literal=None, is_operator=True)


def _word(line: str, place: int) -> Token | None:
    if line[place] == "#":
        return None
    end, value, is_literal = place, "", True
    while (piece := _PIECE.match(line, end)) is not None:
        end = piece.end()
        is_literal &= piece["open"] is None
        value += _value(piece)
    if end == place or line[end : end + 1] not in _ENDS:
        return None
    return Token(text=line[place:end], start=place, end=end, literal=value if is_literal else None)


def _value(piece: re.Match[str]) -> str:
    double = piece["double"]
    if double is not None:
        return _IN_DOUBLE_QUOTES.sub(r"\1", double)
    return piece["plain"] or piece["escaped"] or piece["single"] or ""
