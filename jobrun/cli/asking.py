"""All that `enqueue` can be asked for, with what reads the values; the table stands in `flags`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from jobrun.cli.flags import (
    AFTER,
    DURABILITY,
    DURATION,
    INSTANT,
    INSTANT_OR_DURATION,
    JSON,
    POLICY,
    TABLE,
    TEXTS,
    WHOLE,
)
from jobrun.durability import SYNCHRONOUS
from jobrun.errors import UsageError
from jobrun.model import OnCrash, Surroundings
from jobrun.payload import parse_json
from jobrun.units import parse_duration
from jobrun.when import parse_when

_WHOLE = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the clock and what words may refer to, looked at only when they do."""

    now: datetime
    zone: Callable[[], tzinfo]
    surroundings: Callable[[], Surroundings]
    read: Callable[[str], str]  # the text of a file, or of standard input for `-`


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `field` is what it sets; without a `metavar` it takes no value."""

    flags: tuple[str, ...]
    field: str
    group: str
    help: str
    metavar: str | None
    parse: Callable[[str, Caller], Any]
    is_repeatable: bool

    @property
    def name(self) -> str:
        """Return the long flag."""
        return self.flags[-1]


def _text(text: str, _: Caller) -> str:
    return text


def _whole(text: str, _: Caller) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise UsageError(f"`{text[:40]}` is not a whole number")
    return int(text)


def _duration(text: str, _: Caller) -> float:
    return parse_duration(text)


def _after(text: str, caller: Caller) -> datetime:
    return caller.now + timedelta(seconds=parse_duration(text))


def _instant(text: str, caller: Caller) -> datetime:
    return parse_when(text, caller.now, caller.zone())


def _instant_or_duration(text: str, caller: Caller) -> datetime | float:
    return _instant(text, caller) if ":" in text else parse_duration(text)


def _policy(text: str, _: Caller) -> OnCrash:
    try:
        return OnCrash(text)
    except ValueError:
        raise UsageError(f"`{text}` is not one of {', '.join(OnCrash)}") from None


def _durability(text: str, _: Caller) -> str:
    if text not in SYNCHRONOUS:
        raise UsageError(f"`{text}` is not one of {', '.join(SYNCHRONOUS)}")
    return text


def _json(text: str, caller: Caller) -> Any:
    if text == "-" or text.startswith("@"):
        text = caller.read(text.removeprefix("@"))
    return parse_json(text, "the JSON text")


_READERS: dict[int, Callable[[str, Caller], Any]] = {
    WHOLE: _whole,
    DURATION: _duration,
    AFTER: _after,
    INSTANT: _instant,
    INSTANT_OR_DURATION: _instant_or_duration,
    POLICY: _policy,
    JSON: _json,
    DURABILITY: _durability,
}
OPTIONS = tuple(
    Option(
        flags=flags,
        field=field,
        group=group,
        help=text,
        metavar=metavar,
        parse=_READERS.get(reader, _text),
        is_repeatable=reader == TEXTS,
    )
    for flags, field, group, metavar, reader, text in TABLE
)

BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}
