"""What is remarked on in a table without errors, and what is not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from jobrun.cron.lint import Remark, lint
from jobrun.cron.words import Dst, Entry
from jobrun.model import Kind
from tests.rules.entries import entry

NOW = datetime(2026, 12, 1, tzinfo=UTC)
EITHER = "a day of month and a weekday are given, and either is enough:"


def remarks(schedule: str, zone: str = "UTC", **changes: object) -> list[str]:
    return [remark.text for remark in lint([in_zone(schedule, zone, **changes)], now=NOW)]


def in_zone(schedule: str, zone: str, **changes: object) -> Entry:
    return entry(schedule, zone=ZoneInfo(zone), zone_name=zone, **changes)


@pytest.mark.parametrize(
    ("schedule", "remark"),
    [
        ("*/45 * * * *", "minute `*/45` is not every 45 minutes, but 0 and 45 of each hour"),
        ("0 */5 * * *", "hour `*/5` is not every 5 hours, but 0, 5, 10, 15 and 20 of each day"),
        ("*/90 * * * *", "minute `*/90` steps over its whole range: one value is left"),
        ("0 8-10/4 * * *", "hour `8-10/4` steps over its whole range: one value is left"),
        ("H/60 * * * *", "minute `H/60` steps over its whole range: one value is left"),
        ("5/10 * * * *", "minute `5/10` means 5-59/10, which is what to write: cronie refuses it"),
        ("0 0 * jan/6 *", "month `JAN/6` means JAN-12/6, which is what to write: cronie refuses it"),
        ("0 0 * * 5#2", "weekday `5#2` is a Friday, for Sunday is 0; Quartz counts from 1: a name is safer"),
        ("0 0 * * 7L", "weekday `7L` is a Sunday, for Sunday is 0; Quartz counts from 1: a name is safer"),
        ("0 0 * * L5", "weekday `L5` is a Friday, for Sunday is 0; Quartz counts from 1: a name is safer"),
        ("0 0 13 * 5", f"{EITHER} at 00:00 on the 13th of the month and also on Friday"),
    ],
)
def test_what_others_or_the_hasty_read_otherwise_is_remarked_on(schedule: str, remark: str) -> None:
    assert remarks(schedule) == [remark]


@pytest.mark.parametrize(
    "schedule",
    [
        "*/15 * * * *",
        "0 */6 * * *",
        "10-50/20 * * * *",
        "H/15 H(0-7) * * *",
        "0 0 1-7 * */7",
        "0 0 13 * *",
        "0 0 L,LW,15W,L-3 * *",
        "0 0 * * FRI#2,monL",
        "0 0 1-31 * 5",
        "@daily",
        "@every 45m",
        "@reboot",
        "@manual",
    ],
)
def test_what_is_plain_is_passed_over(schedule: str) -> None:
    assert remarks(schedule) == []


@pytest.mark.parametrize(
    ("schedule", "zone", "dst", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", Dst.VIXIE, ["on 2027-03-28 the 02:30 run moves to 03:00"]),
        ("0,30 2,3 * * *", "Europe/Berlin", Dst.VIXIE, ["on 2027-03-28 the runs from 02:00 to 02:30 become one at 03:00"]),
        ("30 2 * * 1", "Europe/Berlin", Dst.VIXIE, []),
        ("30 2 1-7 * *", "Europe/Berlin", Dst.VIXIE, []),
        ("30 3 * * *", "Europe/Berlin", Dst.VIXIE, []),
        ("30 1 * * *", "America/New_York", Dst.VIXIE, []),  # repeated, but run once as on any other day
        ("0 0 * * *", "America/Santiago", Dst.VIXIE, ["on 2027-09-05 the 00:00 run moves to 01:00"]),
        ("10 2 * * *", "Australia/Lord_Howe", Dst.VIXIE, ["on 2027-10-03 the 02:10 run moves to 02:30"]),
        ("0 3 * * *", "Pacific/Chatham", Dst.VIXIE, ["on 2027-09-26 the 03:00 run moves to 03:45"]),
        ("30 2 * * *", "Europe/Berlin", Dst.SKIP,
         ["on 2027-03-28 it will not run at all: the clocks go from 02:00 to 03:00"]),
        ("30 2,4 * * *", "Europe/Berlin", Dst.SKIP,
         ["on 2027-03-28 it will not run at 02:30: the clocks go from 02:00 to 03:00"]),
        ("30 2 * * *", "Europe/Berlin", Dst.WALL,
         ["on 2027-03-28 it will not run at all: the clocks go from 02:00 to 03:00",
          "on 2027-10-31 it runs twice at 02:30: the clocks go from 03:00 to 02:00"]),
        ("*/15 2 * * *", "Europe/Berlin", Dst.VIXIE,
         ["on 2027-03-28 it will not run at all: the clocks go from 02:00 to 03:00"]),
        ("*/15 2,3 * * *", "Europe/Berlin", Dst.VIXIE, []),
        ("*/15 * * * *", "Europe/Berlin", Dst.WALL, []),
        ("30 2 * * *", "Asia/Kolkata", Dst.WALL, []),
    ],
)  # fmt: skip
def test_a_run_that_the_clocks_will_move_or_skip_is_told_with_its_date(
    schedule: str, zone: str, dst: Dst, expected: list[str]
) -> None:
    assert remarks(schedule, zone, dst=dst) == expected


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ls -l /tmp",), "the program is `ls -l /tmp`, blanks and all: each word is a text of its own, or use `shell`"),
        (("~/bin/x", "a"), "the program is `~/bin/x` as it stands: only `shell` expands it"),
        (("$HOME/x",), "the program is `$HOME/x` as it stands: only `shell` expands it"),
        (("ls", "-l /tmp", "$x", "~"), None),
    ],
)  # fmt: skip
def test_a_command_that_only_a_shell_would_understand_is_remarked_on(
    words: tuple[str, ...], told: str | None
) -> None:
    assert remarks("@manual", kind=Kind.COMMAND, args=words) == ([told] if told else [])
    assert remarks("@manual", kind=Kind.COMMAND, args=words, is_enabled=False) == []


def test_the_percent_sign_of_a_crontab_is_remarked_on() -> None:
    assert remarks("@daily", task=r"date +\%F") == [r"`\%` is for crontabs: here `%` stands for itself"]
    assert remarks("@daily", task="date +%F") == []


def test_entries_that_always_start_together_are_told_once_for_the_group() -> None:
    entries = [
        entry("15 2 * * *", name="backup", line=3),
        entry("15 02 * * 0-6", name="report", line=7),
        entry("15 2 * * 1", name="weekly"),
        entry("15 2 * * *", name="spread", jitter_s=60.0),
        entry("15 2 * * *", name="off", is_enabled=False),
        in_zone("15 2 * * *", "Asia/Kolkata", name="elsewhere"),
        entry("@every 1h", name="one"),
        entry("@every 1h", name="two"),
    ]

    assert lint(entries, now=NOW) == [
        Remark(entry="backup", line=3, text="`backup` and `report` always start together, at 02:15 every day")
    ]


def test_a_large_group_is_told_by_its_first_names() -> None:
    entries = [entry("0 0 * * *", name=f"job{n}") for n in range(1000)]

    assert [remark.text for remark in lint(entries, now=NOW)] == [
        "`job0`, `job1`, `job2` and 997 more always start together, at 00:00 every day"
    ]


def test_ten_thousand_entries_are_looked_through_in_two_seconds() -> None:
    zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
    entries = [
        in_zone(f"{n % 60} {n // 60 % 24} {n // 1440 + 1} * {n % 7}", zones[n % 3], name=f"job{n}")
        for n in range(10_000)
    ]
    began = time.process_time()
    lint(entries, now=NOW)

    assert time.process_time() - began < 2
