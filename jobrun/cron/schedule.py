"""What may stand behind `schedule =`: a cron expression, one of its aliases, or a word with an `@`."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

from jobrun.cron.fields import parse_expression
from jobrun.cron.words import Every, Expression, Schedule, Special
from jobrun.errors import UsageError
from jobrun.units import MILLISECOND, parse_duration

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
SHORTEST_S = 1.0  # a shorter interval is a loop, not a schedule

_DAY = 24 * 60  # minutes


def parse_schedule(text: str, *, name: str = "", seed: str = "") -> Schedule:
    """Return what a schedule means; `name` and `seed` decide what `H` chooses. Raises `UsageError`.

    >>> parse_schedule("@every 1h30m")
    Every(interval_s=5400.0)
    """
    text = text.strip(" \t\r\n")
    if not text.startswith("@"):
        return parse_expression(text, name=name, seed=seed)
    word, *rest = text.lower().split(maxsplit=1)
    if word == "@every" and rest:
        return _every(text, rest[0])
    if word in ALIASES and not rest:
        return replace(parse_expression(ALIASES[word]), text=word)
    if word in list(Special) and not rest:
        return Special(word)
    raise UsageError(
        f"schedule `{text[:40]}` is not known",
        hint=f"words: {', '.join([*ALIASES, *Special])}, @every 10m",
    )


def shortest_s(schedule: Schedule) -> float:
    """Return the least time between two runs, in seconds; that days are left out can only make it longer."""
    match schedule:
        case Every():
            return schedule.interval_s
        case Expression():
            times = [hour * 60 + minute for hour in schedule.hours for minute in schedule.minutes]
            following = [*times[1:], times[0] + _DAY]
            return 60.0 * min(after - before for before, after in zip(times, following, strict=True))
    return math.inf


def _every(text: str, duration: str) -> Every:
    seconds = parse_duration(duration)
    if seconds < SHORTEST_S:
        raise UsageError(f"schedule `{text}` is shorter than a second")
    if timedelta(seconds=seconds) % MILLISECOND:
        raise UsageError(f"schedule `{text}` is finer than a millisecond")
    return Every(interval_s=seconds)
