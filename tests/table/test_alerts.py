"""The alerts of a table: one condition each, keys that fit it, and somebody to tell."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import fields

import pytest

from jobrun.alerts.words import Alert, Condition, Quantity, Severity
from jobrun.cron.words import Errand
from jobrun.model import Kind
from jobrun.table.alerts import KEYS, PARTS
from tests.table.conftest import Read
from tests.table.test_page import EXAMPLES, PAGE
from tests.table.test_sections import told

Problems = Callable[[str], list[str]]
FIELD_OF = {"for": "for_s", "remind": "remind_s", **{key: field for key, (field, _) in PARTS.items()}}


def test_an_alert_has_what_its_table_says(read: Read) -> None:
    [alert] = read(
        """\
[env]
TO = "ann"
[alerts."mail.backlog"]
depth = 100
queue = "mail"
for = "5m"
severity = "critical"
remind = "4h"
on_end = false
shell = "page $TO"
"""
    ).alerts

    assert alert.errand is not None
    assert alert.errand.surroundings is not None
    assert alert.errand.surroundings.environment["TO"] == "ann"
    assert (alert.errand.kind, alert.errand.task) == (Kind.SHELL, "page $TO")
    assert alert == Alert(
        name="mail.backlog",
        condition=Condition(quantity=Quantity.DEPTH, threshold=100, queue="mail"),
        severity=Severity.CRITICAL,
        for_s=300,
        remind_s=4 * 3600,
        on_end=False,
        errand=alert.errand,
        line=3,
    )


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ('wait = "10m"', Condition(quantity=Quantity.WAIT, threshold=600)),
        (
            'failure_rate = 1\nover = "2h"\nruns = 7\ntask = "app:f"',
            Condition(quantity=Quantity.FAILURE_RATE, threshold=1, over_s=7200, runs=7, task="app:f"),
        ),
        ("no_worker = true", Condition(quantity=Quantity.NO_WORKER, threshold=1)),
        ('missed = 2\nover = "1d"', Condition(quantity=Quantity.MISSED, threshold=2, over_s=86400)),
        (
            'slow = 2.5\nat_least = "0s"\nentry = "x"',
            Condition(quantity=Quantity.SLOW, threshold=2.5, at_least_s=0, entry="x"),
        ),
    ],
)
def test_every_condition_is_read(text: str, condition: Condition, read: Read) -> None:
    [alert] = read(f'[alerts.a]\n{text}\ncall = "app:tell"\n').alerts

    assert (alert.condition, alert.errand) == (condition, Errand(kind=Kind.CALL, task="app:tell"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shell = 'x'", "1: alerts.a: has no condition; one of depth, wait, failure_rate, no_worker, missed, slow is needed"),
        ("dept = 3", "2: alerts.a.dept: unknown key `dept`; did you mean `depth`?"),
        ("depth = 3\nwait = '5m'", "1: alerts.a: has both `depth` and `wait`; keep one, or make two"),
        ("depth = 3\nshell = 'x'\ncall = 'm:f'", "1: alerts.a: has both `call` and `shell`; keep one"),
        ("depth = 0", "2: alerts.a.depth: must be 1 or more, not `0`"),
        ("depth = 3\nentry = 'x'", "3: alerts.a.entry: is for `failure_rate` and `slow`, not for `depth`"),
        ("wait = '5m'\nruns = 5", "3: alerts.a.runs: is for `failure_rate`, not for `wait`"),
        ("slow = 2\nentry = 'x'\ntask = 'm:f'", "1: alerts.a: has both `entry` and `task`; keep one"),
        ("slow = 1", "2: alerts.a.slow: must be a number above 1, as 3.0, not `1`"),
        ("slow = inf", "2: alerts.a.slow: must be a number above 1, as 3.0, not `inf`"),
        ("slow = 2\ntask = 'backup'", "3: alerts.a.task: target `backup` needs a `:` between module and function; write module:function, as in `jobrun enqueue shop.mail:send 42`"),
        ("failure_rate = 20", "2: alerts.a.failure_rate: must be a share above 0 and up to 1, as 0.2, not `20`"),
        ("failure_rate = nan", "2: alerts.a.failure_rate: must be a share above 0 and up to 1, as 0.2, not `nan`"),
        ("no_worker = false", "2: alerts.a.no_worker: must be true, not `false`; leave it out otherwise"),
        ("depth = 3\nseverity = 'high'", "3: alerts.a.severity: bad value `high`; one of info | warning | critical"),
        ("depth = 3\nremind = '0s'", "3: alerts.a.remind: must be longer than `0s`"),
        ("depth = 3\nqueue = '.x'", "3: alerts.a.queue: bad queue `.x`; 1 to 64 of A-Z a-z 0-9 . _ - (not first: . or -)"),
        ("depth = 3\nshell = ''", "3: alerts.a.shell: the shell line is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_alert_is_told_with_its_line(
    text: str, problem: str, problems: Problems
) -> None:
    assert problems(f"[alerts.a]\n{text}") == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[alerts]\na = 3", "2: alerts.a: must be a table; write its name in brackets, as [alerts.a]"),
        ("alerts = 3", "1: alerts: must be a table; begin each alert with [alerts.NAME]"),
        ("[alert.a]\ndepth = 1", "1: alert: unknown key `alert`; did you mean `alerts`?"),
        (
            '[alerts."a b"]\ndepth = 1',
            '1: alerts."a b": bad name `a b`; 1 to 64 of A-Z a-z 0-9 . _ - (not first: . or -)',
        ),
    ],
)
def test_what_is_no_alert_is_refused(text: str, problem: str, problems: Problems) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        ("depth = 1", ["alerts.a: tells nobody: it has no `shell`, `command` or `call`"]),
        (
            "no_worker = true\ncall = 'm:f'",
            ["alerts.a.call: waits for a worker, and tells that there is none"],
        ),
        ("slow = 2\nentry = 'x'\nshell = 'x'", ["alerts.a.entry: this table has no entry `x`"]),
        ("no_worker = true\nshell = 'x'", []),
    ],
)
def test_what_is_odd_about_an_alert_is_remarked_on(text: str, remarks: list[str], read: Read) -> None:
    assert [each.partition(": ")[2] for each in read(f"[alerts.a]\n{text}\n").warnings] == remarks


def test_the_page_has_every_key_of_an_alert_with_its_type_and_its_default() -> None:
    forms = told("alerts")
    examples = {**EXAMPLES, "WORD": '"info"'}
    part = PAGE.partition(".Sh ALERTS\n")[2].partition("\n.Sh ")[0]
    ours = {each.name: each.default for each in (*fields(Alert), *fields(Condition))}

    assert set(forms) == set(KEYS)
    for key, form in forms.items():
        KEYS[key](tomllib.loads(f"x = {examples[form]}")["x"])
        item = part.partition(f".It Cm {key} No")[2].partition(".It ")[0].partition(".El")[0]
        if "Default: " in item:
            default = item.partition("Default: ")[2].partition(".\n")[0]
            meant = None if default == "none" else KEYS[key](tomllib.loads(f"x = {default}")["x"])
            assert meant == ours[FIELD_OF.get(key, key)], key
