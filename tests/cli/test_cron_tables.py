"""check, next and explain: what is read from a table alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.store import Store

Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]
Write = Callable[..., Path]

NIGHTLY = """
[jobs.backup]
shell = "pg_dump shop"
schedule = "30 2 * * *"
timezone = "Europe/Berlin"

[jobs.report]
call = "reports:weekly"
schedule = "0 9 * * MON"
jitter = "2m"

[jobs.off]
shell = "true"
schedule = "@daily"
enabled = false

[jobs.boot]
shell = "true"
schedule = "@reboot"
"""
SPRING = "2027-03-27T00:00:00Z"


def test_a_good_table_is_ok_and_what_moves_is_remarked_upon(table: Write, jobrun: Run) -> None:
    file = table(NIGHTLY)

    done = jobrun("cron", "check", str(file))

    first, *remarks = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert first == f"{file}: 4 entries, ok"
    assert any(remark.startswith(f"{file}:2: backup: on ") for remark in remarks)


def test_alerts_are_counted_and_remarked_upon(table: Write, jobrun: Run) -> None:
    file = table("[alerts.backlog]\ndepth = 3\n")

    done = jobrun("cron", "check", str(file))

    assert done.stdout.splitlines() == [
        f"{file}: 0 entries, 1 alert, ok",
        f"{file}:1: alerts.backlog: tells nobody: it has no `shell`, `command` or `call`",
    ]


def test_strict_leaves_with_1_for_a_remark(table: Write, jobrun: Run) -> None:
    file = table(NIGHTLY)
    plain = table('[jobs.a]\nshell = "true"\nschedule = "0 12 * * *"\n', "plain.toml")

    assert jobrun("cron", "check", str(file), "--strict").returncode == 1
    assert jobrun("cron", "check", str(plain), "--strict").returncode == 0


def test_all_problems_of_a_table_are_told_at_once(table: Write, jobrun: Run) -> None:
    file = table('[jobs.a]\nshell = "true"\nscheduel = "@daily"\nretries = "3"\nevery = "5m"\n')

    done = jobrun("cron", "check", str(file))
    answer = json.loads(jobrun("cron", "check", str(file), "--json").stdout)

    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean `schedule`?" in done.stderr
    assert answer["entries"] is None
    assert [problem.split(": ")[0] for problem in answer["problems"]] == [f"{file}:3", f"{file}:4"]


def test_json_of_a_good_table_counts_entries(table: Write, jobrun_json: RunJson) -> None:
    answer = jobrun_json("cron", "check", str(table(NIGHTLY)))

    assert (answer["entries"], answer["problems"]) == (4, [])
    assert len(answer["remarks"]) == 1


def test_what_comes_is_merged_in_the_order_of_time(table: Write, jobrun_json: RunJson) -> None:
    found = jobrun_json("cron", "next", str(table(NIGHTLY)), "--from", SPRING, "-n", "3")

    assert [(each["entry"], each["at"], each["local"]) for each in found] == [
        ("backup", "2027-03-27T01:30:00.000Z", "2027-03-27T02:30:00+01:00"),
        ("backup", "2027-03-28T01:00:00.000Z", "2027-03-28T03:00:00+02:00"),
        ("backup", "2027-03-29T00:30:00.000Z", "2027-03-29T02:30:00+02:00"),
    ]
    assert [each["note"] for each in found] == [
        "Europe/Berlin",
        "from 02:30: the clocks go forward; Europe/Berlin",
        "Europe/Berlin",
    ]


def test_a_run_at_the_very_instant_asked_about_is_shown(table: Write, jobrun_json: RunJson) -> None:
    [found] = jobrun_json(
        "cron", "next", str(table(NIGHTLY)), "report", "--from", "2027-03-29 09:00", "-n", "1"
    )

    assert (found["at"], found["task"]) == ("2027-03-29T09:00:00.000Z", "reports:weekly")
    assert found["note"] == "up to 2m later"


def test_entries_are_chosen_by_name_and_disabled_ones_only_then(
    table: Write, jobrun: Run, jobrun_json: RunJson
) -> None:
    file = str(table(NIGHTLY))

    assert {each["entry"] for each in jobrun_json("cron", "next", file)} == {"backup", "report"}
    assert jobrun_json("cron", "next", file, "off", "-n", "1")[0]["note"] == "disabled"
    assert jobrun("cron", "next", file, "boot").stderr == "`boot` runs once after each boot of the machine\n"


def test_a_name_that_the_table_has_not_is_not_done(table: Write, jobrun: Run) -> None:
    done = jobrun("cron", "next", str(table(NIGHTLY)), "bakup")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("hint: did you mean `backup`?\n")


def test_intervals_and_pauses_come_from_the_job_file(
    table: Write, store: Store, load: Callable[..., None], jobrun_json: RunJson
) -> None:
    file = table('[jobs.tick]\nshell = "true"\nevery = "1h"\n')
    load(file, now=datetime(2027, 1, 1, 0, 20, tzinfo=UTC))
    now = datetime.now(UTC)
    store.entries.pause("tick", until=now + timedelta(hours=1.5), now=now)

    first, second = jobrun_json("cron", "next", str(file), "-n", "2")

    assert [datetime.fromisoformat(each["at"]).minute for each in (first, second)] == [20, 20]
    assert first["note"].startswith("paused until ")
    assert second["note"] is None or datetime.fromisoformat(second["at"]) < now + timedelta(hours=1.5)


def test_looking_at_a_table_makes_no_job_file(table: Write, path: Path, jobrun: Run) -> None:
    file = str(table(NIGHTLY))

    assert [jobrun("cron", verb, file).returncode for verb in ("check", "next")] == [0, 0]
    assert not path.exists()


def test_a_table_of_runs_fits_a_terminal_of_80_columns(table: Write, terminal: Callable[..., str]) -> None:
    file = table(NIGHTLY.replace("pg_dump shop", "pg_dump --format=custom --file=/srv/backup/shop.dump shop"))

    shown = terminal("cron", "next", str(file), "--from", SPRING, "-n", "2", NO_COLOR="", columns=80)

    lines = shown.splitlines()
    assert len(lines) == 3
    assert "LOCAL TIME" in lines[0]
    assert "Sun 2027-03-28 03:00 CEST" in lines[2]


def test_a_schedule_is_explained_in_words_with_five_times(jobrun: Run, jobrun_json: RunJson) -> None:
    expression = "15 2 * * MON-FRI"
    shown = jobrun("cron", "explain", expression).stdout.splitlines()
    answer = jobrun_json("cron", "explain", expression, "--timezone", "Asia/Tokyo")

    assert shown[0] == answer["explanation"] == "at 02:15 on weekdays (Monday to Friday)"
    assert len(shown) == 8
    assert answer["timezone"] == "Asia/Tokyo"
    assert [each["local"][11:] for each in answer["next"]] == ["02:15:00+09:00"] * 5


def test_the_time_that_h_stands_for_is_said_to_depend_on_the_entry(jobrun: Run) -> None:
    assert "drawn from the name of an entry" in jobrun("cron", "explain", "H H(1-4) * * THU").stderr
    assert jobrun("cron", "explain", "0 3 * MAR THU").stderr == ""


def test_a_schedule_without_quotes_is_refused_with_the_advice_to_quote_it(jobrun: Run) -> None:
    done = jobrun("cron", "explain", "15", "2", "Documents", "Music", "MON-FRI")

    assert done.returncode == 2
    assert "hint: put the schedule in quotes" in done.stderr
    assert jobrun("cron", "explain").stderr.startswith("jobrun: missing argument `EXPR`\n")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["0 0 31 2 *"], "never"),
        (["* * * * * *"], "has 6 fields, not 5"),
        (["@every 5"], "bad duration `5`"),
        (["@daily", "--timezone", "Mars/Base"], "no time zone `Mars/Base`"),
    ],
)
def test_a_schedule_that_is_refused_is_refused_with_the_reason(
    words: list[str], reason: str, jobrun: Run
) -> None:
    done = jobrun("cron", "explain", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr.splitlines()[0]
