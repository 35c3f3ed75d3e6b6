"""Every rule of the format, each by the smallest crontab that shows it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from jobrun.crontab import percent
from jobrun.crontab.importing import Imported

Import = Callable[..., Imported]


def only_job(result: Imported) -> dict[str, Any]:
    """Return the one job of a table, with its name and all of its environment."""
    table = tomllib.loads(result.text)
    [(name, job)] = table["jobs"].items()
    env = {**table.get("env", {}), **job.get("env", {})}
    return {**table.get("defaults", {}), **job, "name": name, "env": env}


def test_a_setting_holds_for_the_lines_below_it_alone(import_text: Import) -> None:
    result = import_text("1 1 * * * a\nA=1\nB=2\n2 1 * * * b\nA=3\n3 1 * * * c\n")

    jobs = tomllib.loads(result.text)["jobs"]
    assert [job.get("env", {}) for job in jobs.values()] == [{}, {"A": "1", "B": "2"}, {"A": "3", "B": "2"}]


def test_what_holds_for_all_lines_is_written_once(import_text: Import) -> None:
    result = import_text("A=1\nB=2\n2 1 * * * b\nB=3\n3 1 * * * c\n")

    table = tomllib.loads(result.text)
    assert table["env"] == {"A": "1"}
    assert [job["env"] for job in table["jobs"].values()] == [{"B": "2"}, {"B": "3"}]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b c", "b c"),
        ("A = b c  ", "b c"),
        ("  A=b", "b"),
        ('A="  b "', "  b "),
        ("A='b'  ", "b"),
        ('A=""', ""),
        ("A=", ""),
        ('"A"=b', "b"),
        ("A=b\"c'", "b\"c'"),
        ("A=$HOME/bin:$PATH", "$HOME/bin:$PATH"),
        ("A=b # c", "b # c"),
        ("A=b=c", "b=c"),
    ],
)
def test_a_setting_is_read_as_cron_reads_it(import_text: Import, line: str, value: str) -> None:
    assert only_job(import_text(f"{line}\n0 0 * * * x\n"))["env"] == {"A": value}


@pytest.mark.parametrize("line", ["A='b' c", 'A="b', "A b=c", "=b", "A"])
def test_what_is_neither_setting_nor_entry_is_refused_by_its_line(import_text: Import, line: str) -> None:
    result = import_text(f"0 0 * * * x\n{line}\n")

    assert [(each.where, each.text) for each in result.refused] == [("crontab:2", line)]


@pytest.mark.parametrize(
    "text",
    [
        "0 5 * * * run",
        "0 5 * * * run\r\n",
        "\ufeff0 5 * * * run\n",
        "0\t5\t*\t*\t*\trun\n",
        "   0  5 *  *\t * \t run\n",
        "\n\n# only prose, and so much of it that no name can be made\n\n0 5 * * * run\n",
    ],
)
def test_blanks_line_ends_and_a_missing_last_one_change_nothing(import_text: Import, text: str) -> None:
    job = only_job(import_text(text))

    assert (job["schedule"], job["shell"], job["name"]) == ("0 5 * * *", "run", "run")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CRON_TZ=Asia/Tokyo\n0 0 * * * x", {"timezone": "Asia/Tokyo", "env": {}}),
        ("CRON_TZ=:Asia/Tokyo\n0 0 * * * x", {"timezone": "Asia/Tokyo", "env": {}}),
        ("TZ=Asia/Tokyo\n0 0 * * * x", {"env": {"TZ": "Asia/Tokyo"}}),
        ("RANDOM_DELAY=45\n0 0 * * * x", {"jitter": "45m", "env": {}}),
        ("RANDOM_DELAY=45\n0 * * * * x", {"jitter": "30m"}),
        ("RANDOM_DELAY=0\n0 0 * * * x", {"env": {}}),
        ("RANDOM_DELAY=soon\n0 0 * * * x", {"env": {}}),
        ("MAILTO=a@b\nMAILFROM=c\nLOGNAME=d\nUSER=e\n0 0 * * * x", {"env": {}}),
        ("HOME=/srv\n0 0 * * * x", {"cwd": "/srv", "env": {"HOME": "/srv"}}),
        ("HOME=/srv\n0 0 * * * cd /tmp && x", {"cwd": "/tmp", "env": {"HOME": "/srv"}}),
        ("SHELL=/bin/sh\n0 0 * * * x", {"shell": "x", "env": {}}),
        (
            "SHELL=/bin/bash\n0 0 * * * x y",
            {"command": ["/bin/bash", "-c", "x y"], "env": {"SHELL": "/bin/bash"}},
        ),
        ("SHELL=/bin/fish\n0 0 * * * timeout 5 x", {"command": ["/bin/fish", "-c", "timeout 5 x"]}),
        ("PATH=/opt/bin\n0 0 * * * x", {"env": {"PATH": "/opt/bin"}}),
        ("- 0 0 * * * x", {"schedule": "0 0 * * *", "shell": "x"}),
        ("-0 0 * * * x", {"schedule": "0 0 * * *", "shell": "x"}),
        ("0 0 * * * -n x", {"shell": "x"}),
        ("0 0 * * * -nq -s x -n", {"shell": "x -n", "overlap": "skip"}),
        ("@reboot x", {"schedule": "@reboot"}),
        ("0 0 * * * x &", {"shell": "x &", "leftovers": "keep"}),
        ("@daily x", {"schedule": "@daily"}),
        ("@every 1h30m x y", {"schedule": "@every 1h30m", "shell": "x y"}),
        ("0~30 4 ~ * * x", {"schedule": "H(0-30) 4 H * *"}),
        ("~/10 ~8 20~ * 1~5 x", {"schedule": "H/10 H(0-8) H(20-28) * H(1-5)"}),
        ("5,10~20 4 * * * x", {"schedule": "5,H(10-20) 4 * * *"}),
        ("H H(1-5) * * * x", {"schedule": "H H(1-5) * * *"}),
        ("0 0 L * * x", {"schedule": "0 0 L * *"}),
        ("0 0 * * * mail -s %joe%a%%b", {"shell": "mail -s ", "stdin": "joe\na\n\nb\n"}),
        ("0 0 * * * date +\\%F > 'x'", {"shell": "date +%F > 'x'"}),
    ],
)
def test_a_rule_of_the_format(import_text: Import, text: str, expected: dict[str, Any]) -> None:
    result = import_text(text)

    assert result.refused == []
    job = only_job(result)
    assert {key: job[key] for key in expected} == expected
    assert set(job) - set(expected) <= {"name", "schedule", "shell", "env", "command", "leftovers"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("50-10 * * * * x", "runs backwards: write 50-59,0-10"),
        ("0 0 31 2 * x", "never fires"),
        ("*/0 * * * * x", "step of 0"),
        ("60 * * * * x", "outside 0-59"),
        ("0 0 30 2 * * x", "begins with `*`"),
        ("* * * * * *", "begins with `*`"),
        ("0 0 * * *", "neither a setting nor a schedule with a command"),
        ("@daily", "neither"),
        ("@fortnightly x", "not known"),
        ("@~ x", "not known"),
        ("0 0 * * * root apt-get update", "say --system"),
        ("1 5 cron.daily run-parts /etc/cron.daily", "neither"),
        ("0 0 * * * caf\udce9", "not UTF-8"),
        ("0 0 * * * a\0b", "NUL"),
        ("0 0 * * * %a", "empty"),
        ("0 0 * * * " + "x" * 200_000, "more than 4096 bytes"),
        ("HOME=srv\n0 0 * * * x", "cwd"),
        ("CRON_TZ=Mars/Base\n0 0 * * * x", "Mars/Base"),
    ],
)
def test_what_cannot_be_carried_over_is_named_with_its_reason(
    import_text: Import, line: str, reason: str
) -> None:
    result = import_text(f"0 1 * * * kept\n{line}\n")

    [refused] = result.refused
    assert refused.where == f"crontab:{2 + line.count(chr(10))}"
    assert re.search(reason, refused.reason), refused.reason
    assert [block.name for block in result.blocks] == ["kept"]


def test_a_bad_line_says_nothing_against_the_others(import_text: Import) -> None:
    result = import_text("0 0 * * * a\nnonsense\n61 * * * * b\n0 0 * * * c\n")

    assert [block.name for block in result.blocks] == ["a", "c"]
    assert [each.where for each in result.refused] == ["crontab:2", "crontab:3"]


def test_lines_of_other_users_are_left_to_them(import_text: Import) -> None:
    text = "1 1 * * * root a\n2 1 * * * www-data b\n3 1 * * * www-data:staff c\n#4 1 * * * daemon d\n"
    result = import_text(text, has_users=True, user="www-data", with_disabled=True)

    assert [block.name for block in result.blocks] == ["b"]
    assert ["runs as `root`" in each.reason for each in result.refused] == [True, False]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("# Nightly backup\n0 0 * * * /x/run.sh", ["nightly-backup"]),
        (
            "# Name: DB.dump\n# at night, when nobody is there to see that it takes long\n0 0 * * * x",
            ["DB.dump"],
        ),
        ("#Ansible: check dirs!\n0 0 * * * x", ["check-dirs"]),
        ("# about all of it\n\n0 0 * * * /x/run.sh", ["run"]),
        ("# about another\nA=b\n0 0 * * * /x/run.sh", ["run"]),
        ("# m h  dom mon dow   command\n0 0 * * * /x/run.sh", ["run"]),
        ("#0 1 * * * old\n0 0 * * * /x/run.sh", ["run"]),
        ("#MAILTO=root\n0 0 * * * /x/run.sh", ["run"]),
        ("# ------\n# Reports\n# ------\n0 0 * * * /x/run.sh", ["reports"]),
        ("# Name: 2027\n0 0 * * * x", ["job-2027"]),
        ("# Zürich\n0 0 * * * x", ["z-rich"]),
        ("# ночь\n0 0 * * * x", ["x"]),
        ("0 0 * * * :", ["job"]),
        ("0 0 * * * /usr/bin/php8.2 -q /x/a.php\n0 0 * * * python3 -m b", ["a", "b"]),
        ("0 0 * * * git pull\n0 0 * * * git gc\n0 0 * * * git gc", ["git-pull", "git-gc", "git-gc-2"]),
        ("0 0 * * * [ -x /a ] && A=b /x/c -d 5", ["c"]),
        ("0 0 * * * cd /x && timeout 5 flock -n /run/a.lock nice -n 5 ./sync --all", ["sync"]),
        ("# one\n0 0 * * * x\n# one\n0 0 * * * y", ["one", "one-2"]),
    ],
)
def test_a_name_comes_from_the_comment_above_or_from_the_command(
    import_text: Import, text: str, names: list[str]
) -> None:
    assert [block.name for block in import_text(text).blocks] == names


def test_a_long_comment_is_a_description(import_text: Import) -> None:
    text = "# Rotate what the crawler wrote,\n# and keep a fortnight of it.\n0 0 * * * /x/rotate"

    job = only_job(import_text(text))

    assert job["description"] == "Rotate what the crawler wrote, and keep a fortnight of it."
    assert job["name"] == "rotate"


def test_lines_that_are_commented_out_are_taken_on_request(import_text: Import) -> None:
    text = "# *  *  *  *  * user-name command to be executed\n#0 5 * * * old\n# 5 loaves\n0 6 * * * new\n"

    assert [block.name for block in import_text(text).blocks] == ["5-loaves"]
    disabled, enabled = tomllib.loads(import_text(text, with_disabled=True).text)["jobs"].values()
    assert (disabled["shell"], disabled["enabled"]) == ("old", False)
    assert "enabled" not in enabled


@pytest.mark.parametrize(
    ("text", "command", "stdin"),
    [
        ("a%b", "a", "b\n"),
        ("a%b%", "a", "b\n"),
        ("a%%b", "a", "\nb\n"),
        ("a%", "a", None),
        (r"a\%b", "a%b", None),
        (r"a\\%b", r"a\\", "b\n"),
        (r"a\b\%c%d\e\%f", r"a\b%c", "d\\e%f\n"),
        (r"a%b\\%c", "a", "b\\%c\n"),
        (r"a%b\ ".strip(), "a", "b\\\n"),
        ("a\\", "a\\", None),
    ],
)
def test_percent_signs_end_the_command_and_begin_its_input(
    text: str, command: str, stdin: str | None
) -> None:
    assert percent.split(text) == (command, stdin)


def test_every_job_stands_below_its_old_line(import_text: Import) -> None:
    text = import_text("MAILTO=ops\x07@x\n0\t5 * * * say \x1b[1mhi\n").text

    assert "# crontab:2: 0\t5 * * * say \\x1b[1mhi\n[jobs.say]\n" in text
    assert "(MAILTO was ops\\x07@x)" in text


def test_an_empty_crontab_is_an_empty_table(import_text: Import) -> None:
    result = import_text("# nothing\n")

    assert "jobs" not in tomllib.loads(result.text)
    assert (result.blocks, result.refused) == ([], [])


PARTS = (
    "0 5 * * * ", "*/5 0~9 * * mon-fri ", "@reboot ", "@every 5m ", "@daily", "root ", "x", "y.sh", "A=", "# ",
    "Name: z", "CRON_TZ=UTC", "SHELL=/bin/bash", "%", "\\", "'", '"', "$(", ")", "&&", "; ", "|", "*", "~", "-n ",
    "flock -n /x ", "timeout 5 ", "cd /x && ", " >/dev/null 2>&1", "\n", "\n", "\n", "\r", "\t", " ", "\0", "\x1f",
    "\udc80", "\u2028", "é",
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=some.lists(some.sampled_from(PARTS), max_size=30), has_users=some.booleans())
def test_whatever_stands_in_a_crontab_the_table_loads(
    import_text: Import, parts: list[str], *, has_users: bool
) -> None:
    result = import_text("".join(parts), has_users=has_users, with_disabled=True)

    assert len(tomllib.loads(result.text).get("jobs", {})) == len(result.blocks)
    assert result.comparison.different == []
