"""Tables for a drill: entries that stay as they are through every change, and wild ones that come, change and go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

ALL, LAST, OFF = (
    "all",
    "last",
    "off",
)  # what must become of the ticks of an entry: each runs, or the last of those missed


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a table."""

    name: str
    rule: str
    keys: Mapping[str, object]


def _calls(seconds: float) -> dict[str, object]:
    return {"call": "chaostasks:ticks", "args": [seconds]}


_STEADFAST = {"every": "1s", "retries": 50, "backoff": "0s"}
_EACH = {**_STEADFAST, "catchup": "all", "catchup_window": "1h"}
STEADY = (
    *(Line(f"each-{n}", ALL, {**_EACH, **_calls(0), "overlap": "allow"}) for n in range(5)),
    *(Line(f"queued-{n}", ALL, {**_EACH, **_calls(0.1), "overlap": "queue"}) for n in range(3)),
    *(Line(f"one-{n}", LAST, {**_STEADFAST, **_calls(0)}) for n in range(5)),
    Line("slow-skipped", LAST, {**_STEADFAST, **_calls(1.2)}),
    Line("slow-queued", LAST, {**_STEADFAST, **_calls(1.2), "overlap": "queue"}),
    Line("replaced", LAST, {**_STEADFAST, **_calls(1.2), "overlap": "replace"}),
    Line("never-late", LAST, {**_STEADFAST, **_calls(0), "catchup": "none", "overlap": "allow"}),
    Line("off", OFF, {**_STEADFAST, **_calls(0), "enabled": False}),
)
REPLACED = "replaced"


def steady(script: Path) -> tuple[Line, ...]:
    """Return the entries that every version of a table has; a script runs some of them."""
    line = f'echo "$JOBRUN_ENTRY $JOBRUN_SCHEDULED_FOR $JOBRUN_ID" >> "$TICKS"; set -- 0.05; . {script}'
    shells = (
        Line("each-shell", ALL, {**_EACH, "shell": line, "overlap": "allow"}),
        Line("one-shell", LAST, {**_STEADFAST, "shell": line}),
    )
    return (*STEADY, *shells)


def version(dice: Random, script: Path, environment: Mapping[str, str]) -> str:
    """Draw a table: the steady entries in any order, and some wild ones."""
    lines = [*steady(script), *(_wild(dice, n) for n in range(6) if dice.random() < 0.6)]
    dice.shuffle(lines)
    variables = "".join(f"{name} = {json.dumps(value)}\n" for name, value in environment.items())
    return f"[env]\n{variables}{''.join(map(_written, lines))}"


def broken(dice: Random, text: str) -> str:
    """Spoil a table as hands do."""
    spoilt = (
        text[: dice.randrange(len(text))] + "\n[jobs.cut",
        text.replace("every =", "evry =", 1),
        text + "[jobs.odd]\nschedule = '61 * * * *'\nshell = 'true'\n",
        text + text[text.index("[jobs.") :],
        "\0" + text,
    )
    return dice.choice(spoilt)


def put(path: Path, text: str) -> None:
    """Write a table in one step, as an editor does."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(path)


def _wild(dice: Random, number: int) -> Line:
    keys: dict[str, object] = {
        **_calls(dice.choice((0, 0.05, 0.5))),
        "every": dice.choice(("1s", "1s", "2s", "3s")),
        "overlap": dice.choice(("skip", "queue", "allow")),
        "catchup": dice.choice(("none", "one", "all")),
        "retries": dice.choice((20, 30)),
        "backoff": "0s",
    }
    return Line(f"wild-{number}", LAST, keys)


def _written(line: Line) -> str:
    keys: Iterable[str] = (f"{name} = {json.dumps(value)}\n" for name, value in line.keys.items())
    return f"[jobs.{line.name}]\n{''.join(keys)}"
