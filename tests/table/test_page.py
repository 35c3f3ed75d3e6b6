"""The manual page of the table has every key, and says of each what is true."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from jobrun.cron.words import Entry
from jobrun.model import Terms
from jobrun.table.keys import DEFAULTS, KEYS
from jobrun.table.skeleton import MAX_DEPTH, MAX_KEYS, MAX_LINE, MAX_PARTS, MAX_TABLES
from tests.table.conftest import Read

PAGE = (Path(__file__).resolve().parents[2] / "man" / "jobrun.toml.5").read_text(encoding="utf-8")
_, *_PIECES = re.split(r"(?m)^\.It Cm (\w+) No = Ar (\w+)\n", PAGE.partition(".Sh SCHEDULES")[0])
TOLD = dict(zip(_PIECES[::3], _PIECES[2::3], strict=True))
FORMS = dict(zip(_PIECES[::3], _PIECES[1::3], strict=True))
EXAMPLES = {
    "TEXT": '"x"', "LIST": '["a", "b"]', "TABLE": '{ A = "b" }', "DURATION": '"90s"', "WORD": "", "BOOLEAN": "true",
    "NUMBER": "3", "CODES": "[0, 24]", "NOTICE": '"x"', "SIZE": '"2GB"', "SHARE": "0.2", "FACTOR": "3.0",
}  # fmt: skip


def test_the_page_has_every_key_and_no_other() -> None:
    assert set(TOLD) == set(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_the_page_says_which_keys_are_no_defaults(name: str) -> None:
    assert ("Not in\n.Ic [defaults]" in TOLD[name]) == (name not in DEFAULTS)


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form != "TEXT"])
def test_the_page_says_of_what_type_a_value_is(name: str) -> None:
    words = [
        f'"{word}"'
        for word in re.findall(r"(?m)^\.Cm ([a-z ,]+?)(?: ,)?$", TOLD[name])
        for word in word.split(" , ")
    ]
    forms = words if FORMS[name] == "WORD" else [EXAMPLES[FORMS[name]]]

    assert forms
    for form in forms:
        KEYS[name].read(tomllib.loads(f"x = {form}")["x"])


@pytest.mark.parametrize("name", [name for name, told in TOLD.items() if "Default:" in told])
def test_the_page_says_what_holds_if_a_key_is_left_out(name: str) -> None:
    told = re.findall(r"(?m)\bDefault: (.+)\.$", TOLD[name])
    ours = {field.name: field.default for field in (*fields(Entry), *fields(Terms))}
    meant = None if told == ["none"] else KEYS[name].read(tomllib.loads(f"x = {told[0]}")["x"])

    assert meant == ours[KEYS[name].field.removeprefix("terms.")]


def test_the_examples_of_the_page_can_be_read(read: Read) -> None:
    table = read("".join(re.findall(r"\.Bd -literal.*\n((?s:.*?))\.Ed", PAGE)))

    assert [entry.name for entry in table.entries] == ["backup", "report"]
    assert [alert.name for alert in table.alerts] == ["backlog"]


def test_every_schedule_of_the_page_is_one(entry: Callable[[str], Entry]) -> None:
    part = PAGE.partition(".Sh SCHEDULES")[2].partition(".Sh RUNS")[0]
    whole = re.findall(r"(?m)^\.Ql ([0-9].* .*)$", part)
    items = re.findall(r"(?m)^\.It Li (.+)$", part)
    minutes = [word for item in items[:5] for word in item.split(" , ")]
    days = [word for item in items[5:7] for word in item.split(" , ")]

    for schedule in [
        *whole,
        *(f"{word} * * * *" for word in minutes),
        *(f"0 0 {word} * *" for word in days),
        *(f"0 0 * * {word}" for word in items[7].split(" , ")),
    ]:
        assert entry(f'schedule = "{schedule}"').schedule_text == schedule


def test_the_page_has_the_limits_of_a_table() -> None:
    numbers: list[Any] = [
        int(number) for number in re.findall(r"\b\d+\b", PAGE.partition("at most 4 MiB")[2])
    ]

    assert numbers[:5] == [MAX_LINE, MAX_TABLES, MAX_KEYS, MAX_PARTS, MAX_DEPTH]
