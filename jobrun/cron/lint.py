"""What is allowed in a table, but may not be what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from jobrun.cron.clocks import changes
from jobrun.cron.english import WEEKDAYS, explain, spans
from jobrun.cron.ranges import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Field, numbers_of
from jobrun.cron.shifts import effect_of
from jobrun.cron.words import Dst, Entry, Expression
from jobrun.model import Kind
from jobrun.units import listed

LOOKS_AHEAD = timedelta(days=365)
MOST_NAMES = 3  # of entries that start together

_CYCLES = {MINUTE: (60, "minutes", "hour"), HOUR: (24, "hours", "day")}
_COUNTED_WEEKDAY = re.compile(r"([0-7])(?:#[1-5]|L)|L([0-7])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    entry: str
    line: int  # of its head in the table
    text: str


def lint(entries: Sequence[Entry], *, now: datetime) -> list[Remark]:
    """Remark on how entries are spelt, on those that start together, and on changes of the clocks.

    Changes are looked for in the year after `now`. What is not enabled is passed over, and of what is not
    written in five fields the schedule.
    """
    remarks = [
        Remark(entry=entry.name, line=entry.line, text=text) for entry in entries for text in _of_task(entry)
    ]
    cron = [(entry, entry.schedule) for entry in entries if isinstance(entry.schedule, Expression)]
    cron = [(entry, expression) for entry, expression in cron if entry.is_enabled]
    since = now.astimezone(UTC)
    coming = {
        zone: [*changes(zone, since, since + LOOKS_AHEAD)] for zone in {entry.zone for entry, _ in cron}
    }
    beside = _together(cron)
    for entry, expression in cron:
        texts = [*_spelling(expression)]
        if entry.name in beside:
            texts.append(beside[entry.name])
        effects = (effect_of(change, expression, entry.dst) for change in coming[entry.zone])
        texts += [effect for effect in effects if effect]
        remarks += [Remark(entry=entry.name, line=entry.line, text=text) for text in texts]
    return remarks


def _of_task(entry: Entry) -> Iterator[str]:
    """Yield what a shell would do with a task that has none, and what is left of a crontab in it."""
    if not entry.is_enabled:
        return
    program = str(entry.args[0]) if entry.kind is Kind.COMMAND and entry.args else ""
    if program != "".join(program.split()):
        yield f"the program is `{program[:64]}`, blanks and all: each word is a text of its own, or use `shell`"
    elif program.startswith(("~", "$")):
        yield f"the program is `{program[:64]}` as it stands: only `shell` expands it"
    if entry.kind is Kind.SHELL and r"\%" in entry.task:
        yield r"`\%` is for crontabs: here `%` stands for itself"


def _together(cron: Sequence[tuple[Entry, Expression]]) -> dict[str, str]:
    """Return for the first of several entries that always start together what is to be said."""
    groups: dict[tuple[Expression, str, Dst], list[str]] = {}
    for entry, expression in cron:
        if not entry.jitter_s:
            key = (replace(expression, text=""), entry.zone_name, entry.dst)
            groups.setdefault(key, []).append(entry.name)
    return {
        names[0]: f"{_names(names)} always start together, {explain(expression)}"
        for (expression, *_), names in groups.items()
        if len(names) > 1
    }


def _names(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    if len(names) > MOST_NAMES:
        return listed(quoted, most=MOST_NAMES)
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


@lru_cache(maxsize=4096)
def _spelling(expression: Expression) -> tuple[str, ...]:
    """Return what other tools, or hasty readers, would take for something else."""
    if expression.text.startswith("@"):
        return ()
    fields = zip((MINUTE, HOUR, DAY, MONTH, WEEKDAY), expression.text.upper().split(" "), strict=True)
    texts = [text for field, word in fields for part in word.split(",") for text in _of_part(part, field)]
    rule = expression.days
    if not rule.needs_both and len(rule.dates) < 31 and len(rule.weekdays) < 7:
        texts.append(f"a day of month and a weekday are given, and either is enough: {explain(expression)}")
    return tuple(texts)


def _of_part(part: str, field: Field) -> Iterator[str]:
    if field is WEEKDAY and (match := _COUNTED_WEEKDAY.fullmatch(part)):
        day = WEEKDAYS[int(match[1] or match[2]) % 7]
        yield f"weekday `{part}` is a {day}, for Sunday is 0; Quartz counts from 1: a name is safer"
    span, slash, step = part.partition("/")
    if not slash:
        return
    numbers = numbers_of(part, field, "")
    if len(numbers) == 1:
        yield f"{field.name} `{part}` steps over its whole range: one value is left"
    elif span.isalnum() and span != "H":
        yield f"{field.name} `{part}` means {span}-{field.high}/{step}, which is what to write: cronie refuses it"
    elif span == "*" and field in _CYCLES:
        cycle, unit, whole = _CYCLES[field]
        if cycle % int(step):
            yield f"{field.name} `{part}` is not every {int(step)} {unit}, but {spans(numbers)} of each {whole}"
