"""Values written as TOML, so that tomllib reads back the same (TOML 1.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")  # a byte that was no UTF-8 (PEP 383)

Value = str | int | Sequence[str] | Mapping[str, str]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r'[^\x00-\x08\x0a-\x1f\x7f"\\]*')
_LITERAL = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f']*")
_SPECIAL = re.compile(r'[\x00-\x08\x0a-\x1f\x7f"\\]')
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHORT = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r"}


def written(value: Value) -> str:
    r"""Write a value; of the ways to quote a text, the one that needs the fewest backslashes.

    >>> print(written("plain"), written('say "no"'), written("it's \\d"))
    "plain" 'say "no"' "it's \\d"
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {_text(text)}" for name, text in value.items()) + " }"
    return "[" + ", ".join(map(_text, value)) + "]"


def key(name: str) -> str:
    """Write a key, quoted where it must be.

    >>> key("PATH"), key("a.b")
    ('PATH', '"a.b"')
    """
    return name if _BARE_KEY.fullmatch(name) else _basic(name)


def comment(text: str) -> str:
    r"""Write one line of a comment; control characters, which no comment may hold, are spelled out.

    >>> comment("a\tb\x07")
    '# a\tb\\x07'
    """
    shown = _CONTROL.sub(lambda found: rf"\x{ord(found[0]):02x}", text)
    return f"# {LONE_SURROGATE.sub('?', shown)}".rstrip()


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    if _LITERAL.fullmatch(text):
        return f"'{text}'"
    if "\n" in text.rstrip("\n"):
        lines = (_SPECIAL.sub(_escape, line) for line in text.split("\n"))
        return '"""\n' + "\n".join(lines) + '"""'
    return _basic(text)


def _basic(text: str) -> str:
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"
