"""Texts, bytes and lists spoilt at random, and made small again while they still do harm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

ODD = (
    *("", " ", "\t", "\n", "\r\n", "\r", "\x1b[31m", "\x1b]0;t\x07", "\x9b2J", "\x7f", "\x85", "\x01", "\b\b"),
    *("\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\U000e0041", "\xad", "\u0301", "ä", "漢字", "🙂", "м"),
    *("\udcff", "\udc80", "%s", "{0}", "$(id)", "`id`", "; touch owned", "' OR 1=1--", '"', "'", "\\", "*", "?"),
    *("[/x]", "[bold]", ":skull:", "[link=file:///etc/passwd]a", "<img onerror=x>", "../../x", "-", "--", "="),
    *("0", "-1", "1e999", "NaN", "9" * 30, "9" * 5000, "٣", "2147483648", "9223372036854775808", "0x10", "1_0"),
    *("A" * 300, "a" * 70_000, "[" * 300, "{" * 50, "jobrun: ", "hint: x"),
)  # fmt: skip


def odd(dice: Random) -> str:
    """Return a text that has hurt somebody before, or random characters."""
    if dice.random() < 0.7:
        return dice.choice(ODD)
    return "".join(chr(_code(dice)) for _ in range(dice.randrange(1, 12)))


def _code(dice: Random) -> int:
    code = dice.choice([dice.randrange(1, 0x100), dice.randrange(1, 0x3100), dice.randrange(1, 0x110000)])
    return 0xDC80 + code % 0x80 if 0xD800 <= code < 0xE000 else code


def spoilt(dice: Random, value: Any, piece: Callable[[Random], Any]) -> Any:
    """Return a text, bytes or a list with a few parts removed, doubled, moved or replaced."""
    for _ in range(dice.choice([1, 1, 1, 2, 4, 8])):
        at = dice.randrange(len(value) + 1)
        end = min(len(value), at + dice.choice([0, 1, 1, 1, 2, 5, 30]))
        part = value[at:end]
        new = dice.choice([piece(dice), part + part, part[::-1], part[:0]])
        value = value[:at] + new + value[end:]
    return value


def shrunk(value: Any, does_harm: Callable[[Any], bool], *, tries: int = 300) -> Any:
    """Return a shorter text, bytes or list that does harm, too; of a list each part is shortened as well."""
    if not isinstance(value, str | bytes | list):
        return value
    least: Any = value
    step = max(len(least) // 2, 1)
    while step and tries > 0:
        at = 0
        while at < len(least) and tries > 0:
            shorter = least[:at] + least[at + step :]
            tries -= 1
            if does_harm(shorter):
                least = shorter
            else:
                at += step
        step //= 2
    for n in range(len(least) if isinstance(least, list) else 0):
        least[n] = shrunk(least[n], partial(_with, least, n, does_harm))
    return least


def _with(value: list[Any], n: int, does_harm: Callable[[Any], bool], part: Any) -> bool:
    """Say whether a list does harm with another part in one place."""
    return does_harm([*value[:n], part, *value[n + 1 :]])
