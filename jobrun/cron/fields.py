"""The dialect: a cron expression of five fields, read strictly.

What it means is Vixie's cron as cronie has it. Everything that tools read in different ways is refused, and the
refusal says which field, which value and why.
"""

from __future__ import annotations

import re
from functools import lru_cache

from jobrun.cron.dayfields import day_rule
from jobrun.cron.days import ever_matches
from jobrun.cron.ranges import HOUR, MINUTE, MONTH, Field, numbers_of
from jobrun.cron.words import Expression
from jobrun.errors import UsageError

MAX_LENGTH = 256  # characters, which bounds lists and digits too
READ_ELSEWHERE = {
    6: "Quartz, Spring and cronsim read seconds first, croniter seconds last, EventBridge the year last",
    7: "Quartz reads seconds first and the year last",
}

_COMMAND = re.compile(r"[A-Za-z]{4}|^[/.~]")  # a word, or a path
_BLANKS = re.compile(r"[ \t]+")


def parse_expression(text: str, *, name: str = "", seed: str = "") -> Expression:
    """Return what five fields mean; `name` and `seed` decide what `H` chooses.

    Raises `UsageError` for what is refused, and for what would never fire.

    >>> parse_expression("0 22 * * FRI-SUN").hours
    (22,)
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"schedule `{text[:20]}...` is longer than {MAX_LENGTH} characters")
    if not text.isascii():
        odd = next(character for character in text if not character.isascii())
        raise UsageError(f"schedule `{text}` holds U+{ord(odd):04X}, which no field has")
    text = _BLANKS.sub(" ", text.strip(" \t\r\n"))
    upper = text.upper()
    fields = upper.split(" ") if upper else []
    if len(fields) != 5:
        raise _wrong_number(text, len(fields))
    minute, hour, date, month, weekday = fields
    salt = f"{name}\0{seed}" if "H" in upper else ""
    months = _numbers(month, MONTH, salt)
    days = day_rule(date, weekday, salt)
    expression = Expression(
        text=text,
        minutes=_numbers(minute, MINUTE, salt),
        hours=_numbers(hour, HOUR, salt),
        months=months,
        days=days,
        is_wildcard=minute.startswith("*") or hour.startswith("*"),
    )
    if not ever_matches(months, days):
        raise UsageError(f"schedule `{text}` never fires: no month of it has such a day")
    return expression


@lru_cache(maxsize=4096)
def _numbers(text: str, field: Field, salt: str) -> tuple[int, ...]:
    return tuple(sorted({number for part in text.split(",") for number in numbers_of(part, field, salt)}))


def _wrong_number(text: str, count: int) -> UsageError:
    problem = f"schedule `{text}` has {count} fields, not 5"
    if any(_COMMAND.search(field) for field in text.split(" ")[5:]):
        return UsageError(problem, hint="what runs stands in `shell` or `command`; no user is named here")
    if count not in READ_ELSEWHERE:
        return UsageError(problem, hint="they are: minute hour day-of-month month weekday")
    return UsageError(f"{problem}: {READ_ELSEWHERE[count]}", hint="seconds are written `@every 10s`")
