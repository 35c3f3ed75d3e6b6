"""The plain words of `enqueue`: a call or command with short arguments that is due now.

This reads what leaves no doubt, a smaller language than that of `words`, and leaves all else to it, every
mistake included; a test holds that both mean the same job. It loads little, since `enqueue` stands in loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from jobrun.cli.flags import FLAG, TABLE
from jobrun.cli.veil import HIDDEN, is_secret
from jobrun.durability import SYNCHRONOUS
from jobrun.store.insertion import Row

MAX_SHOWN = 200  # characters of a call in the echo
_READERS = {flag: (field, reader) for flags, field, *_, reader, _ in TABLE for flag in flags}
_NEEDS_NO_QUOTES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
_MS_OF = {"s": 1000, "m": 60_000, "h": 3_600_000}

Plain = tuple[Row, str, bool, str | None]


class _Unclear(Exception):
    """Words that are not plain."""


def plain(words: Sequence[str]) -> Plain | None:
    """Return what the row of a job has of its own, the call as shown, whether the id alone is the answer, and the durability."""
    others: list[str] = []
    rest: list[str] | None = None
    tags: list[str] = []
    row: Row = {}
    durability: str | None = None
    flags: set[str] = set()
    stream = iter(words)
    try:
        for word in stream:
            if word == "--":
                rest = list(stream)
            elif word[:1] != "-":
                others.append(word)
            else:
                field, text = _option(word, stream)
                if field in {"quiet", "exec"}:
                    flags.add(field)
                elif field == "tags":
                    tags.append(_name(text))
                elif field == "durability":
                    durability = _durability(text, durability)
                else:
                    _keep(row, field, text)
        if tags:
            row["tags"] = _tags(tags)
        return row, _what(row, others, rest, is_command="exec" in flags), "quiet" in flags, durability
    except _Unclear:
        return None


def plain_row(words: Sequence[str]) -> Row | None:
    """Return the row of a line that asks for a call and nothing else."""
    asked = plain(words)
    if asked is None or asked[2] or asked[3] or "kind" in asked[0]:
        return None
    return asked[0]


def _option(word: str, stream: Iterator[str]) -> tuple[str, str]:
    """Return the field that an option sets, and its text."""
    flag, equals, text = word.partition("=")
    if flag not in _READERS:
        raise _Unclear
    field, reader = _READERS[flag]
    if reader == FLAG:
        if equals:
            raise _Unclear
    elif not equals:
        text = next(stream, "")
        if text[:1] == "-":
            raise _Unclear
    elif flag[1] != "-":  # -Q=mail
        raise _Unclear
    return field, text


def _keep(row: Row, field: str, text: str) -> None:
    if field not in _FIELDS:
        raise _Unclear
    column, read = _FIELDS[field]
    if column in row:
        raise _Unclear
    row[column] = read(text)


def _what(row: Row, words: Sequence[str], rest: Sequence[str] | None, *, is_command: bool) -> str:
    """Put what to run into the row, and return it as it is shown."""
    if "task" not in row and not is_command and rest is None:
        return _call(row, words)
    if words or ("task" in row) is is_command or bool(rest) is not is_command:
        raise _Unclear
    row["kind"] = "command" if is_command else "shell"
    if rest:
        _line(rest[0])
        row["args"] = f"[{','.join(map(_word, rest))}]"
        row["task"] = " ".join(map(_quoted, rest))
    return _line(str(row["task"]))


def _call(row: Row, words: Sequence[str]) -> str:
    """Put target and arguments into the row, and return the call as it is shown."""
    if not words:
        raise _Unclear
    row["task"] = target = _target(words[0])
    args: list[str] = []
    kwargs: dict[str, str] = {}
    for word in words[1:]:
        name, equals, text = word.partition("=")
        if not (equals and name.isascii() and name.isidentifier()):
            args.append(_argument(word))
        elif name in kwargs:
            raise _Unclear
        else:
            kwargs[name] = _argument(text)
    if args:
        row["args"] = f"[{','.join(args)}]"
    if kwargs:
        row["kwargs"] = "{" + ",".join(f'"{name}":{text}' for name, text in kwargs.items()) + "}"
    shown = (
        f"{target}({', '.join([*args, *(f'{name}={_shown(name, text)}' for name, text in kwargs.items())])})"
    )
    if len(shown) > MAX_SHOWN:
        raise _Unclear
    return shown


@lru_cache
def _target(text: str) -> str:
    module, _, function = text.partition(":")
    names = [*module.split("."), *function.split(".")]
    if not text.isascii() or not all(map(str.isidentifier, names)):
        raise _Unclear
    if any(name[:2] == "__" == name[-2:] for name in names):
        raise _Unclear
    return text


def _argument(text: str) -> str:
    """Return an argument as JSON, which is also how it is shown."""
    if _is_digits(text, 15):
        if text[0] == "0" and text != "0":
            raise _Unclear
        return text
    if text[:1] in set('-{["0123456789') or text in {"true", "false", "null"}:
        raise _Unclear
    return _word(text)


def _shown(name: str, text: str) -> str:
    return f'"{HIDDEN}"' if is_secret(name) and text not in {"true", "false", "null"} else text


def _line(text: str) -> str:
    if not (text.isascii() and text.isprintable() and text.strip() and len(text) <= MAX_SHOWN):
        raise _Unclear
    return text


def _word(text: str) -> str:
    """Return a word of a command as JSON."""
    if not (text.isascii() and text.isprintable()) or '"' in text or "\\" in text:
        raise _Unclear
    return f'"{text}"'


def _quoted(text: str) -> str:
    """Return a word as `shlex.quote` does."""
    if text and all(map(_NEEDS_NO_QUOTES.__contains__, text)):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _name(text: str) -> str:
    rest = text.replace(".", "").replace("-", "").replace("_", "")
    if not (text.isascii() and 0 < len(text) <= 64 and text[0] not in ".-" and (rest.isalnum() or not rest)):
        raise _Unclear
    return text


def _tags(tags: Sequence[str]) -> str:
    if len(tags) > 32:
        raise _Unclear
    return '["' + '","'.join(tags) + '"]'


def _key(text: str) -> str:
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= 255):
        raise _Unclear
    return text


def _priority(text: str) -> int:
    if not _is_digits(text, 6):
        raise _Unclear
    return int(text)


def _retries(text: str) -> int:
    if not _is_digits(text, 2):
        raise _Unclear
    return int(text)


def _time_limit(text: str) -> int:
    """Return the milliseconds of a duration of one unit."""
    if not _is_digits(text[:-1], 4) or text[-1] not in _MS_OF or not int(text[:-1]):
        raise _Unclear
    return int(text[:-1]) * _MS_OF[text[-1]]


def _policy(text: str) -> str:
    if text not in {"retry", "park", "fail"}:
        raise _Unclear
    return text


def _durability(text: str, before: str | None) -> str:
    if before is not None or text not in SYNCHRONOUS:
        raise _Unclear
    return text


def _is_digits(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= most


_FIELDS = {
    "shell": ("task", _line),
    "queue": ("queue", _name),
    "priority": ("priority", _priority),
    "retries": ("retries", _retries),
    "timeout_s": ("timeout_ms", _time_limit),
    "on_crash": ("on_crash", _policy),
    "key": ("key", _key),
    "name": ("name", _name),
}
