"""The one table of the keys of a job: how each is read, what of an entry it fills, and where it may stand.

What is refused as unknown, what `[defaults]` takes, and what the manual page has to explain follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobrun.cron.words import Catchup, Dst, Overlap
from jobrun.model import Kind, Leftovers, OnCrash
from jobrun.table import values
from jobrun.table.sections import SECTIONS

EVERY_KIND = frozenset(Kind)
CALLS = frozenset({Kind.CALL})
COMMANDS = frozenset({Kind.SHELL, Kind.COMMAND})
TOP = ("defaults", "env", "jobs", *SECTIONS, "alerts")
WHAT = tuple(values.WHAT_RUNS)
WHEN = ("schedule", "every")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """`field` names one of `Entry`, or `terms.` and one of `Terms`; empty: it takes more than its value."""

    read: Callable[[Any], Any]
    field: str = ""
    kinds: frozenset[Kind] = EVERY_KIND  # for which it means something
    is_default: bool = True  # it may stand in [defaults]


KEYS: dict[str, Key] = {
    "call": Key(read=values.call, is_default=False),
    "shell": Key(read=values.shell, is_default=False),
    "command": Key(read=values.command, is_default=False),
    "args": Key(read=values.values, field="args", kinds=CALLS, is_default=False),
    "kwargs": Key(read=values.named_values, field="kwargs", kinds=CALLS, is_default=False),
    "description": Key(read=values.line, field="description", is_default=False),
    "schedule": Key(read=values.text, is_default=False),
    "every": Key(read=values.text, is_default=False),
    "timezone": Key(read=values.zone),
    "dst": Key(read=values.choice(Dst), field="dst"),
    "jitter": Key(read=values.duration, field="jitter_s"),
    "seed": Key(read=values.text, field="seed"),
    "enabled": Key(read=values.flag, field="is_enabled"),
    "overlap": Key(read=values.choice(Overlap), field="overlap"),
    "catchup": Key(read=values.choice(Catchup), field="catchup"),
    "catchup_window": Key(read=values.duration, field="catchup_window_s"),
    "queue": Key(read=values.text, field="queue"),
    "priority": Key(read=values.whole, field="priority"),
    "tags": Key(read=values.texts, field="tags"),
    "retries": Key(read=values.whole, field="retries"),
    "backoff": Key(read=values.duration, field="backoff_s"),
    "max_backoff": Key(read=values.duration, field="max_backoff_s"),
    "timeout": Key(read=values.duration, field="timeout_s"),
    "deadline": Key(read=values.duration, field="deadline_s"),
    "on_crash": Key(read=values.choice(OnCrash), field="on_crash"),
    "isolate": Key(read=values.flag, field="terms.isolate", kinds=CALLS),
    "env": Key(read=values.variables, is_default=False),
    "env_file": Key(read=values.text),
    "cwd": Key(read=values.folder),
    "umask": Key(read=values.umask),
    "stdin": Key(read=values.text, field="terms.stdin", kinds=COMMANDS, is_default=False),
    "output": Key(read=values.is_discard, field="terms.discards_output"),
    "leftovers": Key(read=values.choice(Leftovers), field="terms.leftovers", kinds=COMMANDS),
    "ok_exit": Key(read=values.codes, field="terms.ok_exit", kinds=COMMANDS),
    "skip_exit": Key(read=values.codes, field="terms.skip_exit", kinds=COMMANDS),
    "no_retry_exit": Key(read=values.codes, field="terms.no_retry_exit", kinds=COMMANDS),
    "on_failure": Key(read=values.notice, field="on_failure"),
    "on_recovery": Key(read=values.notice, field="on_recovery"),
    "ping": Key(read=values.line, field="terms.ping", is_default=False),
}

# What other tools call it, and what to write here.
ELSEWHERE = {
    "tz": "timezone",
    "cron": "schedule",
    "interval": "every",
    "second": "every",
    "seconds": "every",
    "concurrency": "overlap",
    "environment": "env",
    "dir": "cwd",
    "directory": "cwd",
}

DEFAULTS = {name: key for name, key in KEYS.items() if key.is_default}
