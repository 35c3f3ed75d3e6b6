"""Names for entries that had none: from the comment above, or else from the command."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from jobrun.crontab.shellwords import Token, scan

LONGEST = 48  # characters of a name that we make
LONGEST_DESCRIPTION = 160
MOST_WORDS = 6  # of a comment that is a name; a longer one is a description

_NAMED = re.compile(r"(?:job )?name: *(.+)|ansible: *(.+)", re.IGNORECASE)
_VALID = re.compile(r"(?!\d+$)[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_NO_WORDS = re.compile(r"[^A-Za-z]*|\w+ ?=.*")  # rulers, and settings that are commented out
# The drawing that explains the five fields; what stands above it is about all of the crontab.
_LEGEND = re.compile(
    r"(m|min|minute)[ \t]+(h|hour)\b.*|.*\(0? ?- ?\d+\).*|.*(?:[|│] *){2}.*|.*(?:\*[ \t]+){5}.*",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\.(?:sh|bash|py|php|pl|rb|js|jar|lock)")
_RUNNERS = frozenset(
    """sh bash dash zsh ksh env sudo su nice ionice time nohup setsid exec timeout flock chronic run-one
    php perl python ruby node java""".split()  # noqa: SIM905 -- a list of words
)
_CONDITIONS = frozenset(["test", "[", "[[", "cd", "command", "sleep", "if", ".", "source", "umask", "export"])
_OPENERS = frozenset(["{", "(", "!", "then", "do", "else"])


def description(comment: Sequence[str]) -> str:
    """Return what the comment above an entry says of it, in one line."""
    told: list[str] = []
    for text in comment:
        if _LEGEND.fullmatch(text):
            told = []
        elif _NO_WORDS.fullmatch(text) is None:
            told.append(_given(text) or text)
    said = "".join(character if character.isprintable() else " " for character in " ".join(told))
    return textwrap.shorten(said, LONGEST_DESCRIPTION, placeholder="…")


def names(comments: Sequence[Sequence[str]], commands: Sequence[str]) -> list[str]:
    """Return a name for each entry, all of them different and fit for a table."""
    said = [list(_words(command)) for command in commands]
    programs = Counter(words[0] if words else "" for words in said)
    found: list[str] = []
    taken: set[str] = set()
    for comment, words in zip(comments, said, strict=True):
        is_one = not words or programs[words[0]] == 1
        name = wanted = _from_comment(comment) or slug("-".join(words[: 1 if is_one else 2])) or "job"
        number = 2
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name)
        found.append(name)
    return found


def slug(text: str) -> str:
    """Return a text as a name; empty if nothing of it can be in one.

    >>> slug("Back up /home (daily)"), slug("2027")
    ('back-up-home-daily', 'job-2027')
    """
    plain = _NOT_IN_NAMES.sub("-", text).strip("-_").lower()
    cut = plain if len(plain) <= LONGEST else plain[: LONGEST + 1].rpartition("-")[0] or plain[:LONGEST]
    return f"job-{cut}" if cut.isdigit() else cut


def _given(text: str) -> str:
    named = _NAMED.fullmatch(text)
    return "" if named is None else (named[1] or named[2]).strip()


def _from_comment(comment: Sequence[str]) -> str:
    """Return the name that `# Name: …` gives, or that a short comment is; else nothing."""
    for text in comment:
        if given := _given(text):
            return given if _VALID.fullmatch(given) else slug(given)
    told = description(comment)
    return slug(told) if len(told.split()) <= MOST_WORDS else ""


def _words(command: str) -> Iterator[str]:
    """Yield the words that tell what a command does: its program, and what it is called for."""
    tokens = scan(command)
    if tokens is None:
        tokens = tuple(Token(text=word, start=0, end=0, literal=None) for word in command.split())
    parts = [part for part in _commands(tokens) if part]
    telling = next((part for part in parts if part[0].text not in _CONDITIONS), parts[0] if parts else [])
    for token in telling:
        word = slug(_stem(token))
        if word and word.rstrip("0123456789-") not in _RUNNERS and not _is_detail(token.text):
            yield word


def _commands(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the words of each command of a line, without its redirections and what opens a group."""
    part: list[Token] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.is_control:
            yield part
            part = []
        elif token.is_operator or (before is not None and before.is_operator and not before.is_control):
            continue
        elif part or not (token.text in _OPENERS or _ASSIGNMENT.fullmatch(token.text)):
            part.append(token)
    yield part


def _is_detail(text: str) -> bool:
    return text.startswith("-") or text.endswith(".lock") or text.rstrip("smhd").isdigit()


def _stem(token: Token) -> str:
    """Return the last part of a path, without the suffix of a script."""
    path = PurePath(token.text if token.literal is None else token.literal)
    return path.stem if _SUFFIX.fullmatch(path.suffix) else path.name
