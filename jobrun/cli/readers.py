"""Readers of words: from what a person types to what it means, or a `UsageError` that says what is expected."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from jobrun.cli.caller import zone
from jobrun.cli.place import utc_now
from jobrun.durability import check_durability
from jobrun.errors import NoSuchJob, UsageError, meant
from jobrun.model import State
from jobrun.requests import check_name
from jobrun.units import parse_duration
from jobrun.when import parse_when

MAX_ID = 2**63 - 1  # of SQLite
MAX_GLOB = 256  # characters
MAX_LIMIT = 100_000
MAX_WORKERS = 256

# The five views of a database-backed queue; failed and crashed are states by themselves.
VIEWS = {"active": State.RUNNING, "pending": State.READY, "future": State.SCHEDULED}
STATE_WORDS = ", ".join([*State, *VIEWS])


def job_id(text: str) -> int:
    """Read a job id. Raises `UsageError`, or `NoSuchJob` for one that no job can have.

    >>> job_id("12")
    12
    """
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise UsageError(
            f"`{text}` is not a job id", hint="ids are whole numbers from 1; `jobrun list` shows them"
        )
    if len(text) > 18 and int(text[:40]) > MAX_ID:
        raise NoSuchJob(int(text[:40]))
    return int(text)


def state(text: str) -> State:
    """Read a state, or the name of a view of it.

    >>> state("failed").value, state("pending").value
    ('failed', 'ready')
    """
    if text in VIEWS:
        return VIEWS[text]
    try:
        return State(text)
    except ValueError:
        raise UsageError(
            f"`{text}` is not a state", hint=meant(text, [*State, *VIEWS], f"one of {STATE_WORDS}")
        ) from None


def keeping(text: str) -> float:
    """Read a span of time, in seconds, that may have no end."""
    return math.inf if text == "forever" else parse_duration(text)


def durability(text: str) -> str:
    """Read what a commit waits for."""
    check_durability(text)
    return text


def glob(text: str) -> str:
    """Read a pattern."""
    if not text or len(text) > MAX_GLOB:
        raise UsageError(f"a pattern has 1 to {MAX_GLOB} characters, this one {len(text)}")
    return text


def whole(option: str, most: int, *, least: int = 1) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`.

    >>> whole("--workers", 256)("4")
    4
    """

    def number(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
            return int(text)
        upto = f" to {most}" if most <= MAX_LIMIT else ""
        raise UsageError(f"{option} is a whole number from {least}{upto}, not `{text}`")

    return number


def when(text: str) -> datetime:
    """Read a time, of today or tomorrow in the zone of the caller."""
    return parse_when(text, utc_now(), zone())


def entry_name(text: str) -> str:
    """Read a name that an entry of a table can have."""
    check_name("entry", text)
    return text


def queue_name(text: str) -> str:
    """Read a name that a queue can have."""
    check_name("queue", text)
    return text
