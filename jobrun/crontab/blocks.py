"""An entry of a crontab as a block of a table: its keys, and what there is to say about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from jobrun.cron.schedule import parse_schedule, shortest_s
from jobrun.cron.words import Schedule
from jobrun.crontab import naming, percent
from jobrun.crontab.dialect import as_schedule
from jobrun.crontab.lines import Line, Refusal
from jobrun.crontab.tomltext import LONE_SURROGATE, Value
from jobrun.crontab.wrappers import Around, Unwrapped, span, unwrap
from jobrun.errors import UsageError
from jobrun.table.values import is_variable

# Settings of cron itself, and what no crontab can set; a command may see them, but none is known to ask.
FOR_CRON = frozenset({
    "MAILTO",
    "MAILFROM",
    "CRON_TZ",
    "RANDOM_DELAY",
    "CONTENT_TYPE",
    "CONTENT_TRANSFER_ENCODING",
    "LOGNAME",
    "USER",
})  # fmt: skip
PLAIN_SHELL = "/bin/sh"  # which runs `shell =`

_SHELLS = frozenset(["sh", "bash", "dash", "ksh", "zsh"])  # whose lines the wrappers are read from
_MINUTES = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One `[jobs.NAME]`, with its environment apart, for what all jobs share stands in `[env]`."""

    name: str
    line: Line
    keys: Mapping[str, Value]
    env: Mapping[str, str]
    remarks: tuple[str, ...]


def blocks(lines: Sequence[Line]) -> tuple[list[Block], list[Refusal]]:
    """Return a block for each entry of a crontab, and the entries for which there is none."""
    locks = Counter(word.strip("'\"") for line in lines for word in set(line.command.split()))
    shared = frozenset(word for word, count in locks.items() if count > 1)
    read: list[tuple[Line, Schedule, Unwrapped]] = []
    refused: list[Refusal] = []
    for line in lines:
        try:
            _check_text(line)
            schedule = parse_schedule(as_schedule(line.when))
        except UsageError as error:
            hint = f"; {error.hint}" if error.hint else ""
            refused.append(Refusal(where=line.where, text=line.text, reason=f"{error.message}{hint}"))
        else:
            read.append((line, schedule, _unwrapped(line, schedule, shared)))
    names = naming.names([line.comment for line, _, _ in read], [bare.command for _, _, bare in read])
    return [_block(name, *each) for name, each in zip(names, read, strict=True)], refused


def _unwrapped(line: Line, schedule: Schedule, shared: frozenset[str]) -> Unwrapped:
    """Return the command without its input, and if a shell runs it without its wrappers."""
    command, _ = percent.split(line.command)
    shell = PurePath(line.settings.get("SHELL", PLAIN_SHELL)).name
    if shell not in _SHELLS:
        return Unwrapped(command=command)
    may_wait = "RANDOM" in command and "RANDOM_DELAY" not in line.settings
    around = Around(
        is_bash=shell == "bash",
        shared_locks=shared,
        most_jitter_s=shortest_s(schedule) / 2 if may_wait else 0.0,
    )
    return unwrap(command, around)


def _block(name: str, line: Line, schedule: Schedule, bare: Unwrapped) -> Block:
    told = naming.description(line.comment)
    delay_s, most_s = _random_delay_s(line), shortest_s(schedule) / 2
    cut = ("RANDOM_DELAY is cut to half the interval",) if delay_s > most_s else ()
    keys: dict[str, Value] = {
        "description": "" if name in (told, naming.slug(told)) else told,
        "schedule": as_schedule(line.when),
        "timezone": line.zone_name,
        "enabled": "" if line.is_enabled else False,
        **_what_runs(bare.command, line.settings.get("SHELL", PLAIN_SHELL)),
        "stdin": percent.split(line.command)[1] or "",
        "cwd": line.settings.get("HOME", ""),
        "jitter": span(min(delay_s, most_s)) if delay_s else "",
        "overlap": "skip" if "s" in line.options else "",
        **bare.keys,
    }
    return Block(
        name=name,
        line=line,
        keys={key: value for key, value in keys.items() if value != ""},
        env=_environment(line),
        remarks=(*_remarks(line), *cut, *bare.remarks),
    )


def _check_text(line: Line) -> None:
    """Refuse what no table can hold."""
    texts = [line.command, *line.settings.values()]
    if any(LONE_SURROGATE.search(text) for text in texts):
        raise UsageError("it holds bytes that are not UTF-8", hint="convert the crontab, as with iconv")
    if any("\0" in text for text in texts):
        raise UsageError("it holds a NUL byte")
    if line.command.lstrip().startswith("%"):
        raise UsageError("its command is empty: a percent sign ends it")


def _what_runs(command: str, shell: str) -> dict[str, Value]:
    if shell == PLAIN_SHELL:
        return {"shell": command}
    return {"command": (shell, "-c", command)}


def _environment(line: Line) -> dict[str, str]:
    """Return the variables that a command sees beyond those that each of our jobs has."""
    return {
        name: value
        for name, value in line.settings.items()
        if name not in FOR_CRON and is_variable(name) and (name, value) != ("SHELL", PLAIN_SHELL)
    }


def _random_delay_s(line: Line) -> int:
    """Return cronie's RANDOM_DELAY, which is in minutes; what is no number it ignores, too."""
    minutes = line.settings.get("RANDOM_DELAY", "")
    return int(minutes) * 60 if _MINUTES.fullmatch(minutes) else 0


def _remarks(line: Line) -> Iterator[str]:
    if line.options & {"-", "q"}:
        yield "its runs are recorded as all others"
    if "n" in line.options:
        yield "no mail is sent at all; on_failure tells of failures"
    for name in line.settings:
        if name not in FOR_CRON and not is_variable(name):
            yield f"`{name}` is no name of a variable, and was left out"
