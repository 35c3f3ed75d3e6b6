"""One part of one field of a cron expression: a value, a range, a step or a hash, as numbers.

The grammar is that of crontab(5) as cronie has it, with `a/n` (from a to the end) and `H` added. What the
tools disagree about is refused, and the refusal says what to write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

from jobrun.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """One of the five; compared by identity, so that it can be a key of a cache.

    `ends` is where a range that runs backwards would be cut: its last and its first number.
    """

    name: str
    low: int
    high: int
    ends: tuple[int, int]
    hashed: tuple[int, int]  # from where to where `H` chooses
    forms: str  # of one value
    words: tuple[str, ...] = ()  # for the numbers from `low`


MINUTE = Field(name="minute", low=0, high=59, ends=(59, 0), hashed=(0, 59), forms="0-59")
HOUR = Field(name="hour", low=0, high=23, ends=(23, 0), hashed=(0, 23), forms="0-23")
DAY = Field(
    name="day of month",
    low=1,
    high=31,
    ends=(31, 1),
    hashed=(1, 28),  # every month has them
    forms="1-31, L, LW, L-3 or 15W",
)
MONTH = Field(
    name="month",
    low=1,
    high=12,
    ends=(12, 1),
    hashed=(1, 12),
    forms="1-12 or JAN-DEC",
    words=("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
WEEKDAY = Field(
    name="weekday",
    low=0,
    high=7,
    ends=(7, 1),
    hashed=(0, 6),
    forms="0-7, SUN-SAT, 5L or 5#2",
    words=("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"),
)

_PART = re.compile(
    r"(?:(?P<star>\*)|(?P<hash>H)(?:\((?P<within>[^()]+)\))?|(?P<span>[0-9A-Z]+(?:-[0-9A-Z]+)?))"
    r"(?:/(?P<step>[0-9]+))?"
)


def numbers_of(part: str, field: Field, salt: str) -> range:
    """Return the numbers that a part in upper case stands for; a weekday of 7 stays 7.

    `salt` decides what `H` chooses. Raises `UsageError` naming field, value and reason.

    >>> list(numbers_of("10-30/10", MINUTE, "")), list(numbers_of("FRI-SUN", WEEKDAY, ""))
    ([10, 20, 30], [5, 6, 7])
    """
    match = _PART.fullmatch(part)
    if match is None:
        raise _not_understood(part, field)
    step = int(match["step"] or 1)
    if step == 0:
        raise UsageError(f"{field.name} `{part}` has a step of 0")
    if match["star"]:
        return range(field.low, field.high + 1, step)
    if match["hash"]:
        return _hashed(match["within"], field, salt, step if match["step"] else None)
    low, high = _span(match["span"], field)
    if match["step"] and "-" not in match["span"]:
        high = field.high  # cronsim and robfig/cron read it so; cronie refuses it
    return range(low, high + 1, step)


def number_of(word: str, field: Field) -> int:
    """Return the number that a word in upper case means in a field; a `UsageError` if there is none."""
    if word in field.words:
        return field.low + field.words.index(word)
    if not word.isdigit():
        raise UsageError(f"{field.name} `{word}` is not understood: it takes {field.forms}")
    if not field.low <= int(word) <= field.high:
        raise UsageError(f"{field.name} `{word}` is outside {field.low}-{field.high}")
    return int(word)


def _span(text: str, field: Field) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    low = number_of(first, field)
    high = number_of(last, field) if dash else low
    if field is WEEKDAY and high == 0 < low:
        high = 7  # a range of weekdays may end with Sunday
    if low > high:
        raise UsageError(f"{field.name} `{text}` runs backwards: write {_in_two(first, last, field)}")
    return low, high


def _in_two(first: str, last: str, field: Field) -> str:
    """Spell a range that runs over the end of its field.

    >>> _in_two("50", "10", MINUTE), _in_two("FRI", "MON", WEEKDAY), _in_two("7", "2", WEEKDAY)
    ('50-59,0-10', 'FRI-SUN,MON', '7,1-2')
    """
    end, start = (str(n) if first.isdigit() else field.words[n - field.low] for n in field.ends)
    return ",".join(a if a == b else f"{a}-{b}" for a, b in ((first, end), (start, last)))


def _hashed(within: str | None, field: Field, salt: str, step: int | None) -> range:
    """Choose one number, or where a step begins, by a hash that no restart changes."""
    low, high = field.hashed if within is None else _span(within, field)
    choices = high - low + 1 if step is None else min(step, high - low + 1)
    digest = blake2b(f"{field.name}\0{salt}".encode(), digest_size=8).digest()
    chosen = low + int.from_bytes(digest) % choices
    return range(chosen, (chosen if step is None else high) + 1, step or 1)


def _not_understood(part: str, field: Field) -> UsageError:
    if not part:
        return UsageError(f"{field.name} has an empty part beside a comma")
    if "~" in part:
        return UsageError(f"{field.name} `{part}` would be drawn anew at each start: write H(from-to)")
    if part == "?":
        return UsageError(f"{field.name} `?` stands for a day only: write *")
    return UsageError(
        f"{field.name} `{part}` is not understood", hint="forms: *, 5, 1-5, */10, 10-30/5, 5/10, H, H(0-29)"
    )
