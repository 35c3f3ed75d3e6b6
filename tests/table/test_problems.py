"""What is wrong with a table is told at once, each thing with its line, its key, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from jobrun.table.keys import KEYS
from jobrun.table.problems import MOST
from tests.table.conftest import Read, completed

Problems = Callable[[str], list[str]]

WRONG_TYPE = {  # of each key, a value of a type that it does not take
    **dict.fromkeys(("schedule", "every", "timezone", "queue", "seed", "stdin", "env_file", "cwd"), "5"),
    **dict.fromkeys(
        ("call", "shell", "description", "ping", "dst", "overlap", "catchup", "on_crash"), "true"
    ),
    **dict.fromkeys(("output", "leftovers"), "1.5"),
    **dict.fromkeys(("command", "tags", "ok_exit", "skip_exit", "no_retry_exit", "args"), '"a b"'),
    **dict.fromkeys(("kwargs", "env"), "[1]"),
    **dict.fromkeys(("retries", "priority"), '"3"'),
    **dict.fromkeys(("timeout", "deadline", "backoff", "max_backoff", "jitter", "catchup_window"), "300"),
    **dict.fromkeys(("on_failure", "on_recovery"), "2027-01-01"),
    "umask": "22",
    **dict.fromkeys(("enabled", "isolate"), '"yes"'),
}


def test_every_problem_is_told_at_once_in_the_order_of_the_lines(problems: Problems) -> None:
    text = """\
[defaults]
retries = "3"
schedule = "@daily"
[env]
"two words" = "x"
[job.b]
[jobs.a]
scheduel = "0 3 * * *"
shell = ""
timeout = 5
umask = 22
env.PATH = 3
[jobs.b]
call = "tasks:run"
command = ["true"]
every = "10"
timezone = "Europe/Berln"
[jobs.c]
description = \"\"\"x
[jobs.d]\"\"\"
schedule = "0 0 31 2 *"
command = [
    "true",
    1,
]
"""
    assert problems(text) == [
        "2: defaults.retries: must be a whole number, not the text `3`",
        "3: defaults.schedule: cannot stand in [defaults]; give it to each job",
        '5: env."two words": is no name of a variable; letters, digits and _, no digit first',
        "6: job: unknown key `job`; did you mean `jobs`?",
        "8: jobs.a.scheduel: unknown key `scheduel`; did you mean `schedule`?",
        "9: jobs.a.shell: the shell line is empty",
        '10: jobs.a.timeout: must be a duration as text, as "90s" or "1h30m", not `5`',
        '11: jobs.a.umask: must be octal digits as text, as "022", not `22`',
        "12: jobs.a.env.PATH: must be text in quotes, not `3`",
        "13: jobs.b: has both `call` and `command`; keep one",
        "16: jobs.b.every: bad duration `10`; forms: 90s, 5m, 2h, 1d, 1h30m",
        "17: jobs.b.timezone: no time zone `Europe/Berln`; did you mean `Europe/Berlin`?",
        "19: jobs.c.description: must be one line of text, without control characters",
        "21: jobs.c.schedule: schedule `0 0 31 2 *` never fires: no month of it has such a day",
        '22: jobs.c.command: must be a list of texts, as ["ls", "-l"], not `1`',
    ]


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_the_wrong_type_is_refused_with_what_is_expected(key: str, problems: Problems) -> None:
    told = problems(f"[jobs.a]\n{completed(f'{key} = {WRONG_TYPE[key]}')}")

    assert [line for line in told if not line.startswith("1: jobs.a: ")] == [told[-1]]
    assert re.fullmatch(rf"2: jobs\.a\.{key}: must be .+", told[-1])


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("retries = true", "retries: must be a whole number, not `true`"),
        ("retries = 101", "retries: retries must be from 0 to 100, not `101`"),
        ("retries = nan", "retries: must be a whole number, not `nan`"),
        ("retries = inf", "retries: must be a whole number, not `inf`"),
        (f"retries = {'9' * 4000}", "retries: must be a whole number, not a number that long"),
        (f"priority = 0x{'f' * 4000}", "priority: must be a whole number, not a number that long"),
        ("seed = 07:32:00", "seed: must be text, not `07:32:00`"),
        ("queue = 'a b'", "queue: bad queue `a b`; 1 to 64 of"),
        ("tags = ['x', '-']", "tags: bad tag `-`; 1 to 64 of"),
        ("timeout = '0s'", "timeout: timeout must be a positive duration, not `0s`"),
        ("deadline = '-5m'", "deadline: bad duration `-5m`; forms:"),
        ("backoff = '1h'\nmax_backoff = '2y'", "max_backoff: bad duration `2y`; forms:"),
        ("overlap = 'skp'", "overlap: bad value `skp`; did you mean `skip`?"),
        ("catchup = 'newest'", "catchup: bad value `newest`; one of none | one | all"),
        ("on_crash = 'PARK'", "on_crash: bad value `PARK`; one of retry | park | fail"),
        ("jitter = '31m'", "jitter: is longer than half the interval, `30m`"),
        ("jitter = '6m'\nschedule = '*/10 * * * *'", "jitter: is longer than half the interval, `5m`"),
        ("jitter = '1h'\nschedule = '0 0,23 * * *'", "jitter: is longer than half the interval, `30m`"),
        ("umask = '888'", "umask: bad umask `888`; three octal digits"),
        ("cwd = 'logs'", "cwd: `logs` is a relative path; begin it with / or ~/"),
        ("cwd = '~root'", "cwd: `~root` is a relative path; begin it with / or ~/"),
        ('cwd = "/\\u0000"', "cwd: the directory '/\\x00' is no path"),
        ("env = {JOBRUN_ID = '1'}", "env.JOBRUN_ID: is given to jobs by jobrun itself"),
        ('env = {A = "\\u0000"}', "env.A: holds a NUL, which no variable can"),
        ("env_file = 'none.env'", "env_file: cannot read `/"),
        ('stdin = "\\u0000"', "stdin: stdin holds a NUL"),
        ("ok_exit = [0, 256]", "ok_exit: ok_exit holds `256`, which is no exit code"),
        ("skip_exit = [-1]", "skip_exit: skip_exit holds `-1`, which is no exit code"),
        ("skip_exit = [0]", "skip_exit: exit code `0` is in ok_exit and in skip_exit"),
        ("no_retry_exit = [1.0]", "no_retry_exit: must be a list of exit codes, as [0, 24], not `1.0`"),
        ("ping = 'ftp://host/x'", "ping: ping `ftp://host/x` is no address; https://host/path"),
        ("ping = 'https:///x'", "ping: ping `https:///x` is no address"),
        ("on_failure = {call = 'x'}", "on_failure: target `x` needs a `:`"),
        ("on_failure = []", "on_failure: the command is empty"),
        ("on_failure = {shell = 'a', call = 'b:c'}", "on_failure: must be a shell line, a list of words, or a table"),
        (
            "on_failure = 5",
            'on_failure: must be a shell line, a list of words, or a table, as { call = "module:function" }, not `5`',
        ),
        ("call = 'os.path'", "call: target `os.path` needs a `:` between module and function; did you mean"),
        ("call = 'a:b'\nargs = [2027-01-01]", "args: arguments: a value of type `date` is not JSON"),
        ("call = 'a:b'\nkwargs = {x = inf}", "kwargs: arguments: `inf` is not a JSON number"),
        ("call = 'a:b'\nstdin = 'x'", "stdin: is for `shell` and `command`, not for `call`"),
        ("isolate = true", "isolate: is for `call`, not for `shell`"),
        ("args = [1]", "args: is for `call`, not for `shell`"),
        ("command = ['', 'x']", "command: the command is empty"),
        ("command = []", "command: the command is empty"),
        ("shell = ' '", "shell: the shell line is empty"),
        ("schedule = '* * * * * *'", "schedule: schedule `* * * * * *` has 6 fields, not 5"),
        ("every = '0.5s'", "every: schedule `@every 0.5s` is shorter than a second"),
        ("timezone = ''", "timezone: no time zone ``"),
        ("timezone = 'Mars/Base'", "timezone: no time zone `Mars/Base`; name a place"),
        ("timezone = 'berlin'", "timezone: no time zone `berlin`; did you mean `Europe/Berlin`?"),
        ("timezone = '../etc/passwd'", "timezone: no time zone `../etc/passwd`; name a place"),
        ("timezone = '/etc/localtime'", "timezone: no time zone `/etc/localtime`"),
        ("timezone = 'Europe'", "timezone: no time zone `Europe`"),
        ("timezone = 'EST'", "timezone: `EST` is an abbreviation, not a time zone; name a place"),
        ("timezone = 'CST6CDT'", "timezone: `CST6CDT` is an abbreviation, not a time zone; name a place"),
        ("timezone = 'EST5'", "timezone: `EST5` is an abbreviation, not a time zone; name a place"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_its_reason(lines: str, told: str, problems: Problems) -> None:
    [problem] = problems(f"[jobs.a]\n{completed(lines)}")

    assert problem.partition(": jobs.a.")[2].startswith(told)
    assert int(problem.partition(":")[0]) == 2 + [line.split()[0] for line in lines.splitlines()].index(
        told.partition(":")[0].partition(".")[0]
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[jobs.a]\nevery='1h'", "1: jobs.a: has no `call` or `shell` or `command`; one of them is needed"),
        ("[jobs.a]\nshell='x'", "1: jobs.a: has no `schedule` or `every`; one of them is needed"),
        ("[jobs.a]\nshell='x'\nevery='1h'\nschedule='@daily'", "1: jobs.a: has both `schedule` and `every`; keep one"),
        (f"[jobs.{'a' * 65}]\nshell='x'\nevery='1h'", f"1: jobs.{'a' * 65}: bad name `{'a' * 65}`; it has 65 characters"),
        ("[jobs.123]\nshell='x'\nevery='1h'", "1: jobs.123: bad name `123`; digits alone are the id of a job"),
        ("\n[jobs.' a']\nshell='x'\nevery='1h'", '2: jobs." a": bad name ` a`; 1 to 64 of'),
        ("[jobs.web.backup]\nshell='x'\nevery='1h'", '1: jobs.web.backup: unknown key `backup`; a name with a dot stands in quotes, as [jobs."web.backup"]'),
        ("jobs = 3", "1: jobs: must be a table; begin each job with [jobs.NAME]"),
        ("jobs.a = 'ls'", "1: jobs.a: must be a table; write its name in brackets"),
        ("[[jobs]]\nshell = 'x'", "1: jobs: must be a table; begin each job with [jobs.NAME]"),
        ("env = ['A']", "1: env: must be a table of texts, not a list"),
        ("defaults = 1", "1: defaults: must be a table"),
        ("[backup]\nshell='x'\nevery='1h'", "1: backup: unknown key `backup`; a job begins with [jobs.NAME]"),
        ("[jobs.a]\nshell='x'\nsecond='*/10'\nevery='1h'", "3: jobs.a.second: unknown key `second`; did you mean `every`?"),
        ("[jobs.a]\nshell='x'\nevery='1h'\ntz='UTC'", "4: jobs.a.tz: unknown key `tz`; did you mean `timezone`?"),
        ("[jobs.a]\nshell='x'\ncron='@daily'", "3: jobs.a.cron: unknown key `cron`; did you mean `schedule`?"),
        ("[defaults]\ncron='@daily'", "2: defaults.cron: unknown key `cron`"),
        ("[jobs.a]\nuser='bob'", "2: jobs.a.user: unknown key `user`; all jobs run as the user who runs jobrun"),
        ('[env]\nA="1"\nB="\\u0000"', "3: env.B: holds a NUL, which no variable can"),
        ("schedule = '@daily'", "1: schedule: unknown key `schedule`; the keys of a job stand below [jobs.NAME]"),
        ("[defaults]\nenv = {A='b'}", "2: defaults.env: cannot stand in [defaults]; variables of all jobs stand below [env]"),
        ("[defaults]\nenv_file='x'\n[jobs.a]\nshell='x'\nevery='1h'\n[jobs.b]\nshell='x'\nevery='1h'", "2: defaults.env_file: cannot read"),
        ("[defaults]\nretries=101\n[jobs.a]\nshell='x'\nevery='1h'", "2: defaults.retries: retries must be from 0 to 100"),
        ("[jobs.a]\nshell='x'\nevery='1h'\nbackoff='1h'", "1: jobs.a: backoff `1h` is longer than max-backoff `10m`"),
    ],
)  # fmt: skip
def test_a_table_of_the_wrong_shape_is_refused(text: str, told: str, problems: Problems) -> None:
    found = problems(text)

    assert any(problem.startswith(told) for problem in found), found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[jobs.a]\nschedule = */5 * * * *", "2:12: invalid value; text stands in quotes"),
        ('[jobs.a]\nshell = "true\ncwd = "/"', "2:14: illegal character '\\n'; a quote is missing: only text in"),
        ("[jobs.a\n", "1:8: expected ']' at the end of a table declaration"),
        ("[jobs.a]\r\n\r\nshell 'x'", "3:7: expected '=' after a key in a key/value pair"),
        ("[jobs.a]\nargs = [1,\n  2,", "3:5: invalid value"),
        ('a = "\\d"', "1:8: unescaped '\\' in a string; in '...' a backslash is itself"),
        ("[jobs.a]\numask = 022", "2:10: expected newline or end of document after a statement"),
        ("[jobs.a]\nx = 1\n[jobs.b]\n[jobs.a]", "4: jobs.a: stands here again, after line 1"),
        ('[jobs.a]\nretries = 1\n"retries" = 2', "3: jobs.a.retries: stands here again, after line 2"),
        ("[jobs.a]\nenv = {A='b', A='c'}", "2:20: duplicate inline table key 'A'"),
    ],
)  # fmt: skip
def test_a_syntax_error_is_told_with_its_place(text: str, told: str, problems: Problems) -> None:
    [problem] = problems(text)

    assert problem.startswith(told)


def test_both_lines_are_named_of_everything_that_stands_twice(problems: Problems) -> None:
    text = "[jobs.a]\nx = '''\n[jobs.b]\n'''\ny = [\n1,\n]\ny = 2\n[jobs.b]\n[jobs.'b']\n[[k]]\nz = 1\n[[k]]\nz = 1\n"

    assert problems(text) == [
        "8: jobs.a.y: stands here again, after line 5",
        "10: jobs.b: stands here again, after line 9",
    ]


def test_of_a_job_that_stands_twice_its_keys_are_not_told_again(problems: Problems) -> None:
    job = "[jobs.a]\nshell = 'true'\nevery = '1h'\n"

    assert problems(job + job) == ["4: jobs.a: stands here again, after line 1"]


def test_after_fifty_problems_nobody_looks_further(problems: Problems) -> None:
    told = problems("".join(f"[jobs.a{number}]\n" for number in range(1000)))

    assert len(told) == MOST
    assert told[0].startswith("1: jobs.a0: ")


def test_the_message_counts_the_problems(read: Read) -> None:
    with pytest.raises(Exception, match=r"`.*/jobs\.toml` has 1 problem$"):
        read("x = 1")
    with pytest.raises(Exception, match=r"`.*/jobs\.toml` has 2 problems$"):
        read("x = 1\ny = 2")
    with pytest.raises(Exception, match=r"`.*/jobs\.toml` has more than 50 problems$"):
        read("".join(f"x{number} = 1\n" for number in range(51)))
