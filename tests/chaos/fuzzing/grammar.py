"""Inputs as people and programs write them, before they are spoilt."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

from jobrun.cli.asking import OPTIONS
from jobrun.model import Added, Ending, ErrorInfo, NewJob, Outcome, Output, State, Surroundings, Terms
from jobrun.model import Kind as JobKind
from jobrun.table.alerts import KEYS as ALERT_KEYS
from jobrun.table.keys import KEYS
from jobrun.table.sections import SECTIONS
from jobrun.wire.messages import Answer, Ask, Ended, Gone, Greeting, Hello, Message, Run, Settled, Stop, Why
from tests.chaos.fuzzing.spoil import odd, spoilt

_NOW = datetime(2027, 3, 13, 17, 30, tzinfo=UTC)
VALUES = (
    *("0", "1", "2", "-1", "100", "101", "2.5", "1e3", "default", "mail", "a b", "", "x", "k/1", "true", "null"),
    *("5m", "90s", "1h30m", "0s", "2y", "18:00", "24:00", "tomorrow 06:30", "2027-03-14T02:30", "retry", "park"),
    *("[1]", "{}", '{"a":1}', "[NaN]", "@/", "@/nowhere", "-", "full", "fast", "failed", "ready", "nonsense"),
    *("mod:f", "a.b:C.d", "mymod", "mod:__class__", "../x:f", "x=1", "x=[1", "reports.*", "[a-", "*" * 40 + "a"),
)  # fmt: skip
_WHENS = ("18:00", "tomorrow 06:30", "2027-03-14T02:30", "2027-11-07 01:30", "2027-03-14T02:30:00.5Z", "90s", "1h30m",
          "1.5d", "2027-03-01 10:00 CET", "2027-12-31T23:59:60+14:00", "10 MiB", "512K", "now", "today 00:00")  # fmt: skip
_FIELD = ("*", "*/5", "0", "59", "1-5", "1,2,3", "10-50/7", "MON-FRI", "SUN", "JAN", "L", "LW", "15W", "L-3", "2#1", "5L",
          "H", "H/15", "H(0-9)", "?", "0-0", "7", "31", "29", "FEB", "2", "60", "24", "3-3", "*/0", "*/99", "9-1")  # fmt: skip
_OF_SECTIONS = (*ALERT_KEYS, *(key for keys in SECTIONS.values() for key in keys))
_ALIASES = (
    "@daily",
    "@hourly",
    "@every 5m",
    "@every 0.5s",
    "@reboot",
    "@midnight",
    "@every 99999d",
    "@weekly",
)


def text(dice: Random, value: str, chance: float = 0.4) -> str:
    """Return a value as it is, or spoilt."""
    return str(spoilt(dice, value, odd)) if dice.random() < chance else value


def as_word(value: str) -> str:
    """Return a text as a word of a command line can be: without NUL, and of bytes."""
    return value.replace("\0", "").encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def enqueue_words(dice: Random) -> list[str]:
    """Return words that may stand after `enqueue`."""
    words = dice.choice(
        [["mod:f"], ["mod:f", "1", "x=2"], ["--shell", "echo $HOME"], ["-x", "--", "ls", "-l"], []]
    )
    said = list(words)
    for _ in range(dice.choice([0, 1, 1, 2, 3, 6])):
        said[dice.randrange(len(said) + 1) : 0] = _option(dice)
    if dice.random() < 0.4:
        said = spoilt(dice, said, lambda dice: [dice.choice([odd(dice), dice.choice(VALUES), "--"])])
    return [as_word(text(dice, word, 0.1)) for word in said]


def _option(dice: Random) -> list[str]:
    option = dice.choice(OPTIONS)
    flag = dice.choice(option.flags)
    if option.metavar is None and dice.random() < 0.9:
        return [flag]
    value = text(dice, dice.choice(VALUES))
    return [f"{flag}={value}"] if dice.random() < 0.5 else [flag, value]


def json_text(dice: Random) -> str:
    return text(dice, json.dumps(_json_value(dice, 4), ensure_ascii=dice.random() < 0.5), 0.6)


def _json_value(dice: Random, depth: int) -> Any:
    if depth and dice.random() < 0.6:
        several = range(dice.randrange(4))
        if dice.random() < 0.5:
            return [_json_value(dice, depth - 1) for _ in several]
        return {odd(dice)[:40]: _json_value(dice, depth - 1) for _ in several}
    return dice.choice([None, True, 0, -1, 2**63, 10**99, 0.1, 1e308, odd(dice)[:300], "x"])


def batch_line(dice: Random) -> str:
    """Return a line of a batch: words, or an object."""
    if dice.random() < 0.5:
        return text(dice, " ".join(enqueue_words(dice)), 0.3)
    found: dict[str, Any] = dict([dice.choice([("task", "m:f"), ("shell", "ls"), ("command", ["ls"])])])
    for _ in range(dice.randrange(4)):
        name = dice.choice(OPTIONS).name[2:]
        found[dice.choice([name, name.replace("-", "_"), odd(dice)[:20]])] = dice.choice(
            [dice.choice(VALUES), _json_value(dice, 2), 5, 2.5, True, ["a"]]
        )
    return text(dice, json.dumps(found), 0.3)


def when_text(dice: Random) -> str:
    return text(dice, dice.choice(_WHENS), 0.8)


def schedule_text(dice: Random) -> str:
    """Return five fields, or something like them."""
    if dice.random() < 0.1:
        return text(dice, dice.choice(_ALIASES), 0.7)
    fields = [dice.choice(_FIELD) for _ in range(dice.choice([5, 5, 5, 5, 4, 6, 7]))]
    if dice.random() < 0.3:
        fields = [f"{field},{dice.choice(_FIELD)}" for field in fields]
    return text(dice, " ".join(fields), 0.3)


def table_line(dice: Random) -> str:
    """Return a line that may stand in a table."""
    key = dice.choice([*KEYS, *_OF_SECTIONS, "scheduel", "jobs", "env", '"a.b"', "a.b.c"])
    value = dice.choice([
        *("5", "-1", "1.5", "nan", "inf", "true", "07:32:00", "2027-01-01", "[1, 'a']", "{a = 1}", "[[]]", "9" * 400),
        json.dumps(dice.choice(VALUES), ensure_ascii=False),
        json.dumps(schedule_text(dice)),
    ])  # fmt: skip
    name = dice.choice(["a", "b", "hello", "123", json.dumps(odd(dice)[:80])])
    head = dice.choice(
        [f"[jobs.{name}]", f"[jobs.{name}]", f"[alerts.{name}]", *(f"[{each}]" for each in SECTIONS)]
    )
    return dice.choice(
        [f"{key} = {value}\n", f"{key} = {value}\n", f"{head}\n", f"[{key}]\n", "[[jobs]]\n", "'''\n"]
    )


def messages() -> list[Message]:
    """Return one message of each kind that carries something."""
    job = NewJob(
        kind=JobKind.SHELL, task="ls", surroundings=Surroundings(cwd="/", umask=2, environment={"A": "b"})
    )
    error = ErrorInfo(type="ValueError", message="no", traceback="Traceback")
    output = Output(head=b"head\xff", tail=b"tail", size=99)
    ending = Ending(outcome=Outcome.ERROR, began_at=_NOW, exit_code=3, output=output, error=error, cpu_s=0.1)
    run = Run(
        token="t",
        job_id=1,
        attempt=1,
        max_attempts=3,
        kind=JobKind.CALL,
        task="m:f",
        args=[1, "a"],
        kwargs={"x": None},
        queue="default",
        name=None,
        grace_s=5.0,
        terms=Terms(stdin="x"),
    )
    return [
        run,
        Ended(token="t", ending=ending, pid=4711),
        Ask(number=1, jobs=[job, job]),
        Answer(number=1, added=[Added(id=1, state=State.READY, run_at=_NOW, is_new=True)]),
        Stop(token="t", why=Why.TIMEOUT),
        Hello(generation=1, unsettled=["t"], running="u"),
        Greeting(generation=2),
        Settled(tokens=["t", "u"]),
        Gone(name="w", status=9, begun=["t"], cpu_s=0.1, peak_rss=1, out_of_memory=None),
    ]
