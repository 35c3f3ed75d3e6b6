"""Readers of values: from what TOML has to what an entry has, or a `UsageError` that says what is expected.

A limit that every job has (how many retries, how long a name) is not checked here but by `requests`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from jobrun import requests
from jobrun.cron.words import Errand
from jobrun.errors import UsageError
from jobrun.model import Kind, NewJob
from jobrun.table.problems import Several, unknown
from jobrun.units import parse_duration, parse_size
from jobrun.zone import named_zone

MAX_FACTOR = 1e6
MAX_BITS = 64  # of a number; `str` of 5,000 digits fails

_UNUSED = datetime(1970, 1, 1, tzinfo=UTC)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UMASK = re.compile(r"0?[0-7]{3}")


class Printed(StrEnum):
    """What becomes of what a job prints."""

    KEEP = "keep"
    DISCARD = "discard"


def text(value: Any) -> str:
    return str(_typed(value, str, "text"))


def line(value: Any) -> str:
    """Read text that is shown in one line."""
    if not (said := text(value)).isprintable():
        raise UsageError("must be one line of text, without control characters")
    return said


def whole(value: Any) -> int:
    return int(_typed(value, int, "a whole number"))


def count(value: Any) -> int:
    """Read a number of things, of which there may be none."""
    if (number := whole(value)) < 0:
        raise UsageError(f"must be 0 or more, not `{number}`")
    return number


def some(value: Any) -> int:
    """Read a number of things, of which there must be one."""
    if (number := whole(value)) < 1:
        raise UsageError(f"must be 1 or more, not `{number}`")
    return number


def share(value: Any) -> float:
    """Read a part of a whole."""
    if type(value) not in (int, float) or not 0 < value <= 1:
        raise UsageError(f"must be a share above 0 and up to 1, as 0.2, not {_shown(value)}")
    return float(value)


def factor(value: Any) -> float:
    """Read how many times as much; infinity is a number in TOML, and no such one."""
    if type(value) not in (int, float) or not 1 < value <= MAX_FACTOR:
        raise UsageError(f"must be a number above 1, as 3.0, not {_shown(value)}")
    return float(value)


def yes(value: Any) -> float:
    """Read what can only be asked for."""
    if value is not True:
        raise UsageError(f"must be true, not {_shown(value)}", hint="leave it out otherwise")
    return 1.0


def flag(value: Any) -> bool:
    return bool(_typed(value, bool, "true or false"))


def duration(value: Any) -> float:
    return parse_duration(_typed(value, str, 'a duration as text, as "90s" or "1h30m"'))


def size(value: Any) -> int:
    """Read a size in bytes."""
    return parse_size(_typed(value, str, 'a size as text, as "2GB"'))


def span(value: Any) -> float:
    """Read a duration that is not nought."""
    if not (seconds := duration(value)):
        raise UsageError("must be longer than `0s`")
    return seconds


def zone(value: Any) -> ZoneInfo:
    return named_zone(text(value))


def choice(kind: type[StrEnum]) -> Callable[[Any], Any]:
    """Return a reader of one of a few words."""
    words = " | ".join(kind)

    def read(value: Any) -> Any:
        said = text(value)
        if said not in list(kind):
            raise unknown("bad value", said, kind, otherwise=f"one of {words}")
        return kind(said)

    return read


def is_discard(value: Any) -> bool:
    return choice(Printed)(value) is Printed.DISCARD


def texts(value: Any) -> tuple[str, ...]:
    return tuple(_typed(each, str, "a list of texts") for each in _typed(value, list, "a list of texts"))


def codes(value: Any) -> tuple[int, ...]:
    form = "a list of exit codes, as [0, 24]"
    return tuple(_typed(each, int, form) for each in _typed(value, list, form))


def values(value: Any) -> tuple[Any, ...]:
    return tuple(_typed(value, list, "a list"))


def named_values(value: Any) -> dict[str, Any]:
    return dict(_typed(value, dict, "a table"))


def variables(value: Any) -> dict[str, str]:
    """Read a table of environment variables."""
    named = _typed(value, dict, "a table of texts")
    wrong: dict[str, UsageError] = {}
    for name, each in named.items():
        try:
            check_variable(name)
            _check_content(_typed(each, str, "text in quotes"))
        except UsageError as error:
            wrong[name] = error
    if wrong:
        raise Several(wrong)
    return dict(named)


def is_variable(name: str) -> bool:
    """Say whether a shell could have a variable of this name."""
    return _VARIABLE.fullmatch(name) is not None


def check_variable(name: str) -> None:
    """Refuse the name of a variable that a shell could not have, or that every job gets another value for."""
    if not is_variable(name):
        raise UsageError("is no name of a variable", hint="letters, digits and _, no digit first")
    if name.startswith("JOBRUN_"):
        raise UsageError("is given to jobs by jobrun itself")


def _check_content(value: str) -> None:
    if "\0" in value:
        raise UsageError("holds a NUL, which no variable can")


def folder(value: Any) -> str:
    """Read a directory that does not depend on where the scheduler was started."""
    said = text(value)
    if not (said.startswith(("/", "~/")) or said == "~"):
        raise UsageError(f"`{said[:64]}` is a relative path", hint="begin it with / or ~/")
    return said


def umask(value: Any) -> int:
    """Read octal digits; a number is refused, since 22 and 0o22 are easily taken for one another."""
    said = _typed(value, str, 'octal digits as text, as "022"')
    if not _UMASK.fullmatch(said):
        raise UsageError(f"bad umask `{said[:64]}`", hint='three octal digits, as "022"')
    return int(said, 8)


def call(value: Any) -> Errand:
    return Errand(kind=Kind.CALL, task=_typed(value, str, 'text, as "module:function"'))


def shell(value: Any) -> Errand:
    return Errand(kind=Kind.SHELL, task=_typed(value, str, "a line of text"))


def command(value: Any) -> Errand:
    form = 'a list of texts, as ["ls", "-l"]'
    words = tuple(_typed(each, str, form) for each in _typed(value, list, form))
    return Errand(kind=Kind.COMMAND, task=shlex.join(words), args=words)


WHAT_RUNS: dict[str, Callable[[Any], Errand]] = {"call": call, "shell": shell, "command": command}


def notice(value: Any) -> Errand:
    """Read what is told of a change: a shell line, the words of a command, or a table with one of three keys."""
    match value:
        case str():
            told = shell(value)
        case list():
            told = command(value)
        case dict() if len(value) == 1 and (key := next(iter(value))) in WHAT_RUNS:
            told = WHAT_RUNS[key](value[key])
        case _:
            raise UsageError(
                'must be a shell line, a list of words, or a table, as { call = "module:function" }, '
                f"not {_shown(value)}"
            )
    check_job(NewJob(kind=told.kind, task=told.task, args=told.args))
    return told


def check_job(job: NewJob) -> None:
    """Refuse what no job may have; those of a table have no times yet."""
    requests.check(job, now=_UNUSED)


def _typed(value: Any, kind: type, form: str) -> Any:
    if type(value) is kind and not _is_huge(value):
        return value
    raise UsageError(f"must be {form}, not {_shown(value)}")


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > MAX_BITS


def _shown(value: Any) -> str:
    if _is_huge(value):
        return "a number that long"
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f"the text `{value[:32]}`"
        case list():
            return "a list"
        case dict():
            return "a table"
    return f"`{value}`"
