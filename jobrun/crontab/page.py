"""The text of the table that a crontab becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobrun.crontab.blocks import Block
from jobrun.crontab.tomltext import Value, comment, key, written

_HEADER = """\
Made by `jobrun cron import` from {sources}. Each job stands below its old line.

What changes, and what to write in [defaults], or in a job, to have it as it was:

  overlap = "allow"    a run is skipped while the one before it is not over
  catchup = "none"     a run that was missed is made up once, if it is late by no more
                       than half its interval and no more than an hour
  on_failure = "..."   no mail is sent{mailto}: name a command that tells
                       somebody when a job fails; `jobrun logs` shows what it printed
  [env]                LANG is C.UTF-8, PATH is /usr/local/bin:/usr/bin:/bin, unless set below"""
_DEFAULTS = "# As with cron, what a job leaves running when it ends lives on; by default it would be stopped."
_CRON_TZ = """\
  timezone             CRON_TZ is read as cronie does; Debian's cron would not look at it"""
_TZ = """\
  timezone             TZ is for the commands alone, as in cron, and not for the schedules"""


def table(blocks: Sequence[Block], sources: Sequence[str]) -> str:
    """Write a table. What holds for all its jobs is written once, in `[defaults]` and `[env]`."""
    env = _common([block.env for block in blocks])
    zones = _common([{"timezone": block.keys.get("timezone", "")} for block in blocks])
    zone = {name: value for name, value in zones.items() if value}
    defaults = f"{_DEFAULTS}\n{_section('defaults', {'leftovers': 'keep', **zone})}"
    parts = ["\n".join(map(comment, _header(blocks, sources).split("\n"))), defaults]
    parts += [_section("env", env)] if env else []
    parts += [_job(block, {*zone}, env) for block in blocks]
    return "\n\n".join(parts) + "\n"


def _header(blocks: Sequence[Block], sources: Sequence[str]) -> str:
    settings = [block.line.settings for block in blocks]
    mailed = sorted({each["MAILTO"] for each in settings if each.get("MAILTO")})
    mailto = f" (MAILTO was {', '.join(mailed)})" if mailed else ""
    zones = [
        text for name, text in (("CRON_TZ", _CRON_TZ), ("TZ", _TZ)) if any(name in each for each in settings)
    ]
    return "\n".join([_HEADER.format(sources=", ".join(sources), mailto=mailto), *zones])


def _common(maps: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Return the pairs that all of these have."""
    first, *others = maps or [{}]
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def _job(block: Block, common_keys: set[str], common_env: Mapping[str, Value]) -> str:
    own = {name: value for name, value in block.env.items() if name not in common_env}
    keys = {name: value for name, value in block.keys.items() if name not in common_keys}
    lines = [
        comment(f"{block.line.where}: {block.line.text.strip()}"),
        *(comment(f"note: {remark}") for remark in block.remarks),
    ]
    return "\n".join([*lines, _section(f"jobs.{key(block.name)}", {**keys, **({"env": own} if own else {})})])


def _section(name: str, pairs: Mapping[str, Value]) -> str:
    return "\n".join([f"[{name}]", *(f"{key(each)} = {written(value)}" for each, value in pairs.items())])
