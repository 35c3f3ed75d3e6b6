"""What a table says is what its entries are, defaults and surroundings included."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jobrun import requests
from jobrun.cron.digest import digest, schedule_digest
from jobrun.cron.jobs import job_of
from jobrun.cron.schedule import parse_schedule
from jobrun.cron.words import Catchup, Dst, Entry, Errand, Every, Overlap
from jobrun.errors import Refused
from jobrun.model import COMMON_TERMS, Kind, Leftovers, OnCrash, Surroundings, Terms
from jobrun.table import read_table
from jobrun.table.keys import DEFAULTS, KEYS
from jobrun.table.surroundings import read_env_file
from tests.table.conftest import Read

One = Callable[[str], Entry]

HOME = pwd.getpwuid(os.geteuid()).pw_dir
CLEAN = {
    "HOME": HOME,
    "LOGNAME": pwd.getpwuid(os.geteuid()).pw_name,
    "USER": pwd.getpwuid(os.geteuid()).pw_name,
    "SHELL": "/bin/sh",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}


def test_an_entry_that_says_little_is_as_a_job_is_otherwise(entry: One) -> None:
    read = entry('shell = "true"\nevery = "10m"')

    assert read == Entry(
        name="a",
        line=1,
        kind=Kind.SHELL,
        task="true",
        schedule=Every(interval_s=600.0),
        schedule_text="@every 10m",
        zone=ZoneInfo("Europe/Berlin"),
        zone_name="Europe/Berlin",
        seed=read.seed,
        surroundings=Surroundings(cwd=HOME, umask=0o022, environment=CLEAN),
    )


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ('description = "Back up"', "description", "Back up"),
        ("enabled = false", "is_enabled", False),
        ('schedule = " 0 3 * * * "', "schedule_text", "0 3 * * *"),
        ('schedule = "0 3 * * *"', "schedule", parse_schedule("0 3 * * *")),
        ('schedule = "@reboot"', "schedule_text", "@reboot"),
        ('timezone = "UTC"', "zone_name", "UTC"),
        ('dst = "wall"', "dst", Dst.WALL),
        ('overlap = "replace"', "overlap", Overlap.REPLACE),
        ('catchup = "all"', "catchup", Catchup.ALL),
        ('catchup_window = "2h"', "catchup_window_s", 7200.0),
        ('jitter = "30m"', "jitter_s", 1800.0),
        ('seed = "fixed"', "seed", "fixed"),
        ('queue = "slow"', "queue", "slow"),
        ("priority = -5", "priority", -5),
        ('tags = ["x", "y"]', "tags", ("x", "y")),
        ("retries = 3", "retries", 3),
        ('backoff = "1m"', "backoff_s", 60.0),
        ('max_backoff = "1h"', "max_backoff_s", 3600.0),
        ('timeout = "5m"', "timeout_s", 300.0),
        ('deadline = "1d"', "deadline_s", 86400.0),
        ('on_crash = "park"', "on_crash", OnCrash.PARK),
        ('call = "a.b:c"\nargs = [1, [2.5, "x"]]', "args", (1, [2.5, "x"])),
        ('call = "a.b:c"\nkwargs = {x = {y = true}}', "kwargs", {"x": {"y": True}}),
        ('call = "a.b:c"', "task", "a.b:c"),
        ('call = "a.b:c"', "surroundings", None),
        ('call = "a.b:c"', "kind", Kind.CALL),
        ("command = ['ls', 'a b']", "task", "ls 'a b'"),
        ("command = ['ls', 'a b']", "args", ("ls", "a b")),
        ("command = ['ls', 'a b']", "kind", Kind.COMMAND),
        ('stdin = """\nx\n"""', "terms", Terms(stdin="x\n")),
        ('output = "discard"', "terms", Terms(discards_output=True)),
        ('output = "keep"', "terms", COMMON_TERMS),
        ('leftovers = "keep"', "terms", Terms(leftovers=Leftovers.KEEP)),
        ("ok_exit = [0, 24]\nskip_exit = [75]", "terms", Terms(ok_exit=(0, 24), skip_exit=(75,))),
        ('call = "a.b:c"\nisolate = true', "terms", Terms(isolate=True)),
        ("no_retry_exit = []", "terms", Terms(no_retry_exit=())),
        ('ping = "https://host/x"', "terms", Terms(ping="https://host/x")),
        ('env = {A = "é"}', "surroundings", Surroundings(cwd=HOME, umask=0o022, environment={**CLEAN, "A": "é"})),
        ('cwd = "~/x"', "surroundings", Surroundings(cwd=f"{HOME}/x", umask=0o022, environment=CLEAN)),
        ('cwd = "~"\numask = "077"', "surroundings", Surroundings(cwd=HOME, umask=0o077, environment=CLEAN)),
        ('call = "a:b"\ncwd = "/tmp"', "surroundings", Surroundings(cwd="/tmp", umask=None, environment={})),
        ('call = "a:b"\numask = "0077"', "surroundings", Surroundings(cwd="", umask=0o077, environment={})),
        ('call = "a:b"\nenv.A = "b"', "surroundings", Surroundings(cwd="", umask=None, environment={"A": "b"})),
    ],
)  # fmt: skip
def test_a_key_fills_its_field(lines: str, field: str, value: Any, entry: One) -> None:
    read = entry(lines)

    assert getattr(read, field) == value
    requests.check(job_of(read, at=None, run_at=None), now=requests._EARLIEST)


@pytest.mark.parametrize(
    ("said", "notice"),
    [
        ('"mail root"', Errand(kind=Kind.SHELL, task="mail root")),
        (
            '["mail", "the root"]',
            Errand(kind=Kind.COMMAND, task="mail 'the root'", args=("mail", "the root")),
        ),
        ('{call = "a:b"}', Errand(kind=Kind.CALL, task="a:b")),
        ('{shell = "mail root"}', Errand(kind=Kind.SHELL, task="mail root")),
        ('{command = ["mail"]}', Errand(kind=Kind.COMMAND, task="mail", args=("mail",))),
    ],
)
def test_who_is_told_is_told_where_a_job_of_that_kind_would_run(
    said: str, notice: Errand, read: Read
) -> None:
    [entry] = read(f"""
[defaults]
on_recovery = {said}
[jobs.a]
call = "a:b"
every = "1h"
on_failure = {said}
env.A = "b"
cwd = "/"
""").entries
    for_call = Surroundings(cwd="/", umask=None, environment={"A": "b"})
    for_command = Surroundings(cwd="/", umask=0o022, environment={**CLEAN, "A": "b"})
    expected = replace(notice, surroundings=for_call if notice.kind is Kind.CALL else for_command)

    assert (entry.on_failure, entry.on_recovery) == (expected, expected)


def test_a_default_is_for_every_job_that_says_nothing_itself(read: Read) -> None:
    a, b, c = read("""
[jobs.a]
shell = "true"
every = "1h"

[defaults]
retries = 2
timezone = "UTC"
ok_exit = [0, 1]
umask = "077"
output = "discard"

[jobs.b]
shell = "true"
every = "1h"
retries = 0
ok_exit = [0]
timezone = "Asia/Tokyo"
umask = "000"

[jobs.c]
call = "a:b"
every = "1h"
""").entries

    assert (a.retries, b.retries, c.retries) == (2, 0, 2)
    assert (a.zone_name, b.zone_name, c.zone_name) == ("UTC", "Asia/Tokyo", "UTC")
    assert (a.terms.ok_exit, b.terms.ok_exit, c.terms.ok_exit) == (
        (0, 1),
        (0,),
        (0,),
    )  # a call has no exit code
    assert all(entry.terms.discards_output for entry in (a, b, c))
    assert [entry.surroundings and entry.surroundings.umask for entry in (a, b, c)] == [0o077, 0, 0o077]


def test_calls_may_be_isolated_by_default(read: Read) -> None:
    a, b, c = read("""
[defaults]
isolate = true
[jobs.a]
call = "a:b"
every = "1h"
[jobs.b]
call = "a:b"
isolate = false
every = "1h"
[jobs.c]
shell = "true"
every = "1h"
""").entries

    assert [entry.terms.isolate for entry in (a, b, c)] == [True, False, False]


def test_a_default_jitter_need_not_suit_every_interval(read: Read) -> None:
    [entry] = read('[defaults]\njitter = "1h"\n[jobs.a]\nshell = "true"\nevery = "1m"').entries

    assert entry.jitter_s == 3600.0  # `cron.jobs.delay` cuts it


def test_variables_come_from_the_table_then_the_file_then_the_job(read: Read, path: Path) -> None:
    path.with_name("job.env").touch(mode=0o600)
    path.with_name("job.env").write_text("A=file\nB=file\nC=file\nPATH=/file\n", encoding="utf-8")
    a, b = read("""
[env]
A = "table"
D = "table"
LANG = "C"
[defaults]
env_file = "job.env"
[jobs.a]
shell = "true"
every = "1h"
env = { B = "job" }
[jobs.b]
call = "a:b"
every = "1h"
""").entries
    added = {"A": "file", "B": "file", "C": "file", "D": "table", "LANG": "C", "PATH": "/file"}

    assert a.surroundings is not None
    assert a.surroundings.environment == {**CLEAN, **added, "B": "job"}
    assert b.surroundings == Surroundings(cwd="", umask=None, environment=added)


def test_an_entry_lives_in_the_zone_that_it_names(entry: One) -> None:
    assert str(entry('timezone = "America/New_York"').zone) == "America/New_York"


def test_the_zone_of_the_host_is_handed_on_if_it_is_said(path: Path, read: Read) -> None:
    read('[jobs.a]\nshell = "true"\nevery = "1h"')

    [entry] = read_table(path, local=UTC, local_name="UTC", environ={"TZ": "UTC", "X": "y"}).entries

    assert entry.surroundings is not None
    assert entry.surroundings.environment == {**CLEAN, "TZ": "UTC"}


def test_a_file_of_variables_is_read_as_sh_and_systemd_read_it(tmp_path: Path) -> None:
    path = tmp_path / "job.env"
    path.touch(mode=0o600)
    path.write_text(
        '# a comment\n\n A=1 \nexport B=two words\nC=\'a "b" $c \\n\'\nD="a \\"b\\" \\$c \\\\ \\n"\nE=\nF=x=y#z\n',
        encoding="utf-8",
    )

    assert read_env_file(path) == {
        "A": "1",
        "B": "two words",
        "C": 'a "b" $c \\n',
        "D": 'a "b" $c \\ \\n',
        "E": "",
        "F": "x=y#z",
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("A", "line 2: not NAME=value"),
        ("1A=x", "line 2: `1A` is no name of a variable; letters"),
        ("JOBRUN_DB=x", "line 2: `JOBRUN_DB` is given to jobs by jobrun itself"),
        ("A='x", "line 2: `A` has a quote that does not enclose its value"),
        ('A="x" y', "line 2: `A` has a quote that does not enclose its value"),
        ("A=\0", "holds a NUL at byte 5, in line 2"),
    ],
)
def test_a_bad_file_of_variables_is_told_with_its_line(
    line: str, told: str, problems: Callable[[str], list[str]], path: Path
) -> None:
    file = path.with_name("job.env")
    file.touch(mode=0o600)
    file.write_text(f"#\n{line}\n", encoding="utf-8")

    [problem] = problems('[jobs.a]\nshell = "true"\nevery = "1h"\nenv_file = "job.env"')

    assert problem.startswith("4: jobs.a.env_file: ")
    assert told in problem


def test_a_file_of_variables_that_others_can_write_is_refused(path: Path, read: Read) -> None:
    path.with_name("job.env").touch()
    path.with_name("job.env").chmod(0o666)

    with pytest.raises(Refused, match=r"job\.env` can be written by everybody"):
        read('[jobs.a]\nshell = "true"\nevery = "1h"\nenv_file = "job.env"')


def test_a_zone_whose_sign_is_reversed_is_remarked_on_once(read: Read, path: Path) -> None:
    job = '[jobs.{}]\nshell = "true"\nevery = "1h"\ntimezone = "Etc/GMT+5"\n'

    assert read(job.format("a") + job.format("b")).warnings == (
        f"{path}:4: jobs.a.timezone: `Etc/GMT+5` means UTC-5: its sign is reversed, as in POSIX",
    )


def test_entries_come_in_the_order_of_the_file_with_their_lines(read: Read) -> None:
    table = read(
        "[jobs]\nb = {shell = 'x', every = '1h'}\n[jobs.a]\nshell = '''\n[jobs.c]'''\nevery = '1h'\n"
    )

    assert [(entry.name, entry.line) for entry in table.entries] == [("b", 2), ("a", 3)]


def test_every_key_of_a_job_fills_a_field_or_is_one_of_the_few_that_take_more() -> None:
    known = {field.name for field in fields(Entry)} | {f"terms.{field.name}" for field in fields(Terms)}
    filled = {key.field for key in KEYS.values() if key.field}

    assert filled <= known
    assert {name for name, key in KEYS.items() if not key.field} == {
        *("call", "shell", "command", "schedule", "every", "timezone"),
        *("env", "env_file", "cwd", "umask"),
    }
    assert set(KEYS) - set(DEFAULTS) == {
        *("call", "shell", "command", "args", "kwargs", "description", "schedule", "every"),
        *("env", "stdin", "ping"),
    }


CHANGES: dict[str, Any] = {
    "name": "b", "kind": Kind.CALL, "task": "false", "schedule_text": "@every 2h", "zone_name": "UTC",
    "args": ("x",), "kwargs": {"x": 1}, "description": "x", "is_enabled": False, "dst": Dst.SKIP,
    "overlap": Overlap.ALLOW, "catchup": Catchup.NONE, "catchup_window_s": 1.0, "jitter_s": 1.0, "seed": "x",
    "queue": "x", "priority": 1, "retries": 1, "backoff_s": 1.0, "max_backoff_s": 1.0, "timeout_s": 1.0,
    "deadline_s": 1.0, "on_crash": OnCrash.FAIL, "tags": ("x",), "terms": Terms(stdin="x"), "surroundings": None,
    "on_failure": Errand(kind=Kind.SHELL, task="x"), "on_recovery": Errand(kind=Kind.SHELL, task="x"),
}  # fmt: skip


def test_a_digest_changes_with_every_field_but_the_line(entry: One) -> None:
    before = entry('env = {A = "b"}\nseed = "s"')
    digests = [digest(replace(before, **{name: value})) for name, value in CHANGES.items()]

    assert set(CHANGES) == {field.name for field in fields(Entry)} - {"line", "zone", "schedule"}
    assert len({digest(before), *digests}) == len(CHANGES) + 1
    assert digest(replace(before, line=9)) == digest(before)


def test_the_digest_of_a_schedule_changes_with_its_times_alone(entry: One) -> None:
    before = entry('seed = "s"')
    changed = {
        name
        for name, value in CHANGES.items()
        if schedule_digest(replace(before, **{name: value})) != schedule_digest(before)
    }

    assert changed == {"name", "schedule_text", "zone_name", "dst", "seed"}


def test_a_digest_is_the_same_in_every_process() -> None:
    entry = Entry(
        name="a",
        kind=Kind.CALL,
        task="a:b",
        schedule=Every(interval_s=60.0),
        schedule_text="@every 1m",
        zone=UTC,
        zone_name="UTC",
        kwargs={"b": 1, "a": [1, None]},
        surroundings=Surroundings(cwd="", umask=None, environment={"A": "\udcff"}),
    )

    assert digest(entry) == "3f6a2d7e547d2436004ca8642b35b88d"
