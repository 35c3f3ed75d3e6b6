"""Tables that cannot be: `cron check` says all that is wrong, each thing with its line; nothing is made.

What a running scheduler does with them is in tests/loops/test_scheduler.py: it keeps the table that it has.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.inputs.face import Said, ask, not_seen

GOOD = '[jobs.a]\nshell = "true"\nschedule = "0 3 * * *"\n'
LIMIT_S = 2.0  # CPU time, of what takes a tenth of it


class Bad(NamedTuple):
    row: int
    text: str | bytes
    told: str
    code: int = 2


def one(row: int, lines: str, told: str) -> Bad:
    """Return a job with some lines of its own; they begin in line 2."""
    keys = {line.partition(" ")[0] for line in lines.splitlines()}
    common = [
        *(['shell = "true"'] if not keys & {"shell", "command", "call"} else []),
        *(['schedule = "0 3 * * *"'] if not keys & {"schedule", "every"} else []),
    ]
    return Bad(row, "\n".join(["[jobs.a]", lines, *common, ""]), told)


def twice(text: str) -> str:
    return text + text


TABLES = [
    Bad(71, b"", "`jobs.toml` is empty"),
    Bad(72, "[jobs.a]\nschedule = */5 * * * *\n", "jobs.toml:2:12: invalid value; text stands in quotes"),
    Bad(72, '[jobs.a]\nshell = "true\n', "jobs.toml:2:14: illegal character"),
    Bad(73, b"\xef\xbb\xbf" + GOOD.encode(), "begins with a byte order mark"),
    Bad(73, GOOD.encode("utf-16"), "is UTF-16, not UTF-8"),
    Bad(73, GOOD.encode() + b"#\0\n", "holds a NUL at byte 49, in line 4"),
    Bad(73, GOOD.encode() + b"# \xe9\n", "is not valid UTF-8 at byte 50, in line 4"),
    Bad(74, twice(GOOD), "jobs.toml:4: jobs.a: "),
    Bad(74, '[jobs.a]\nshell = "x"\nshell = "y"\n', "jobs.toml:3: jobs.a.shell: "),
    one(75, 'scheduel = "0 3 * * *"', "2: jobs.a.scheduel: unknown key `scheduel`; did you mean `schedule`?"),
    one(76, 'retries = "3"', "2: jobs.a.retries: must be a whole number, not the text `3`"),
    one(76, "timeout = true", "2: jobs.a.timeout: must be a duration as text"),
    one(76, "schedule = 5", "2: jobs.a.schedule: must be text, not `5`"),
    one(77, "retries = nan", "2: jobs.a.retries: must be a whole number, not `nan`"),
    one(77, "priority = inf", "2: jobs.a.priority: must be a whole number, not `inf`"),
    one(77, "queue = 07:32:00", "2: jobs.a.queue: must be text, not `07:32:00`"),
    one(77, "description = 2027-01-01T00:00:00Z", "2: jobs.a.description: must be text"),
    one(79, 'schedule = "0 0 31 2 *"', "2: jobs.a.schedule: schedule `0 0 31 2 *` never fires"),
    one(80, 'timezone = "EST5"', "2: jobs.a.timezone: `EST5` is an abbreviation, not a time zone"),
    one(80, 'timezone = "Mars/Base"', "2: jobs.a.timezone: no time zone `Mars/Base`; name a place"),
    one(80, 'timezone = "Europe/Berln"', "no time zone `Europe/Berln`; did you mean `Europe/Berlin`?"),
    one(80, 'timezone = "../etc/passwd"', "2: jobs.a.timezone: no time zone `../etc/passwd`"),
    one(80, 'timezone = ""', "2: jobs.a.timezone: no time zone ``"),
    one(81, 'call = "m:f"\ncommand = ["true"]', "jobs.a: has both `call` and `command`; keep one"),
    Bad(81, '[jobs.a]\nevery = "1h"\n', "1: jobs.a: has no `call` or `shell` or `command`"),
    one(82, 'command = ""', "2: jobs.a.command: must be a list of texts"),
    one(82, "command = []", "2: jobs.a.command: the command is empty"),
    one(82, 'command = ["", "x"]', "2: jobs.a.command: the command is empty"),
    one(82, "command = [1]", "2: jobs.a.command: must be a list of texts"),
    Bad(83, f"a{'.a' * 20_000} = 1\n", "1: more than 4096 bytes"),
    Bad(83, "a = " + "[\n" * 100_000, "brackets nested deeper than 32"),
    Bad(83, f"[jobs.a]\nretries = {'9' * 5000}\n", "2: more than 4096 bytes"),
    Bad(83, "#\n" * (5 << 20), "is larger than 4.0 MiB"),
    one(85, 'schedule = "* * * * * *"', "schedule `* * * * * *` has 6 fields, not 5"),
]

REJECTED = (  # of the studies of cron: what one reader takes and another does not
    *("0 3 * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8"),
    *("*/0 * * * *", "5-1 * * * *", "1-2-3 * * * *", "1,,2 * * * *", ",1 * * * *", "1, * * * *", "/5 * * * *"),
    *("-5 * * * *", "5- * * * *", "1.5 * * * *", "0x5 * * * *", "+5 * * * *", "** * * * *", "*5 * * * *"),
    *("*-5 * * * *", "a * * * *", "* * * JANU *", "* * * * MOND", "* * L-31 * *", "* * 32W * *", "* * W * *"),
    *("* * * * 1#6", "* * * * 1#0", "* * * * #1", "@dayly", "@every", "@every 5", "@every -5m", "5 4 * * * root"),
    *("", " ", "٣ * * * *", "* * * * * 2027", "0 0 30 2 *"),
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOBRUN_DB", str(tmp_path / "jobs.db"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    path = Path("jobs.toml")
    path.touch(mode=0o600)
    return path


def check_refusal(said: Said, told: str, code: int = 2) -> None:
    """Say that it is one error with the lines that are wrong, and a hint at most."""
    lines = said.err.splitlines()
    hints = [line for line in lines if line.startswith("hint: ")]
    assert (said.code, said.out) == (code, "")
    assert [line.startswith("jobrun: ") for line in lines].count(True) == 1
    assert any(told in line for line in lines), said.err
    assert len(hints) <= 1
    assert not_seen(said.err) is None
    assert not Path("jobs.db").exists()


@pytest.mark.parametrize("bad", TABLES, ids=lambda bad: f"row {bad.row}")
def test_a_table_that_cannot_be_is_refused_with_its_lines(bad: Bad, file: Path) -> None:
    file.write_bytes(bad.text if isinstance(bad.text, bytes) else bad.text.encode())
    started = time.process_time()

    said = ask(["cron", "check", "jobs.toml"])

    assert time.process_time() - started < LIMIT_S
    check_refusal(said, bad.told, bad.code)
    told = json.loads(ask(["cron", "check", "jobs.toml", "--json"]).out)
    assert told["entries"] is None
    assert any(bad.told.lstrip("0123456789: ") in problem for problem in told["problems"])


@pytest.mark.parametrize("named", ["none.toml", "."])
def test_row_71_what_is_no_file_is_named(named: str, file: Path) -> None:
    check_refusal(ask(["cron", "check", named]), f"jobrun: cannot read `{named}`: ")
    assert file.exists()


def test_row_71_a_table_of_no_jobs_is_taken_with_a_warning(file: Path) -> None:
    file.write_text("# none yet\n")

    said = ask(["cron", "check", "jobs.toml"])

    assert said.code == 0
    assert "`jobs.toml` has no entries" in said.out + said.err


def test_row_74_both_lines_are_named_of_what_stands_twice(file: Path) -> None:
    file.write_text(twice(GOOD))

    said = ask(["cron", "check", "jobs.toml"])

    assert "jobs.toml:4: " in said.err
    assert "1" in said.err.partition("jobs.toml:4: ")[2]


@pytest.mark.parametrize("schedule", REJECTED)
def test_row_78_an_expression_that_others_read_otherwise_is_refused_with_its_reason(
    schedule: str, file: Path
) -> None:
    file.write_text(one(78, f"schedule = {json.dumps(schedule)}", "").text)  # type: ignore[arg-type]

    check_refusal(ask(["cron", "check", "jobs.toml"]), "jobs.toml:2: jobs.a.schedule: ")


def test_row_86_a_table_that_a_group_may_write_is_refused_for_safety(file: Path) -> None:
    file.write_text(GOOD)
    file.chmod(0o660)

    said = ask(["cron", "check", "jobs.toml"])

    check_refusal(said, "can be written by", 5)
    assert said.err.splitlines()[1] == "hint: chmod go-w jobs.toml"


@pytest.mark.parametrize("ends", ["\r\n", " \t\r\n", "\t\n"])
def test_row_90_line_ends_and_blanks_of_other_systems_are_read(ends: str, file: Path) -> None:
    file.write_bytes(GOOD.replace("0 3 * * *", " 0\t3 * *  * ").replace("\n", ends).encode())

    said = ask(["cron", "next", "jobs.toml", "-n", "1", "--json", "--from", "2027-03-01 00:00"])

    assert said.code == 0, said.err
    assert "2027-03-01T03:00:00.000Z" in said.out
