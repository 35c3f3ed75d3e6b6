from __future__ import annotations

import os
import pwd
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

ME = pwd.getpwuid(os.geteuid()).pw_name
OTHER = next(each.pw_name for each in pwd.getpwall() if each.pw_name != ME)


@pytest.fixture
def crontab_program(tmp_path: Path) -> Path:
    """Return a folder with a `crontab` of our own, that says how it was called and lists a line."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "crontab"
    program.write_text('#!/bin/sh\necho "# called with $*"\necho "0 5 * * * true"\n')
    program.chmod(0o755)
    return folder


def test_a_crontab_becomes_a_table_that_check_accepts(jobrun: Run, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("# Night\n0 3 * * * true\n*/5 * * * * flock -n /run/x true\n")

    done = jobrun("cron", "import", "old")

    assert done.returncode == 0
    assert done.stderr == "ok: 500 run times of 2 entries are the same\n"
    assert tomllib.loads(done.stdout)["jobs"]["night"] == {"schedule": "0 3 * * *", "shell": "true"}
    table = tmp_path / "jobs.toml"
    table.write_text(done.stdout)
    table.chmod(0o600)
    assert jobrun("cron", "check", "jobs.toml").returncode == 0


def test_a_line_that_is_left_out_is_named_and_the_rest_is_printed(jobrun: Run) -> None:
    done = jobrun("cron", "import", "-", text="0 3 * * * true\n99 * * * * \x1bfalse\n")

    assert done.returncode == 1
    assert (
        "stdin:2: not carried over: minute `99` is outside 0-59\n    99 * * * * \\x1bfalse\n" in done.stderr
    )
    assert list(tomllib.loads(done.stdout)["jobs"]) == ["true"]


def test_a_table_is_told_from_a_crontab(jobrun: Run, tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").write_text('# Night\n\n[jobs.a]\nshell = "true"\nschedule = "@daily"\n')
    done = jobrun("cron", "import", "jobs.toml")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("jobrun: `jobs.toml` is a table, not a crontab\n")


def test_a_crontab_without_jobs_is_remarked_on(jobrun: Run) -> None:
    done = jobrun("cron", "import", "-", text="# nothing here\nPATH=/bin\n")

    assert (done.returncode, done.stderr) == (0, "no line of it is a job\n")


@pytest.mark.parametrize(("words", "called"), [([], "with-l"), (["--user", ME], f"with-u-{ME}-l")])
def test_without_a_file_crontab_is_asked(
    jobrun: Run, crontab_program: Path, words: list[str], called: str
) -> None:
    done = jobrun("cron", "import", *words, PATH=f"{crontab_program}:{os.environ['PATH']}")

    assert list(tomllib.loads(done.stdout)["jobs"]) == [f"called-{called}"]
    assert "# crontab:2: 0 5 * * * true\n" in done.stdout


def test_having_no_crontab_is_told_in_its_own_words(jobrun: Run, crontab_program: Path) -> None:
    (crontab_program / "crontab").write_text("#!/bin/sh\necho no crontab for anna >&2\nexit 1\n")

    done = jobrun("cron", "import", PATH=f"{crontab_program}:{os.environ['PATH']}")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "jobrun: `crontab -l`: no crontab for anna\n"


def test_without_a_crontab_program_a_file_is_asked_for(jobrun: Run, tmp_path: Path) -> None:
    done = jobrun("cron", "import", PATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: name the FILE" in done.stderr


def test_a_system_crontab_gives_each_user_a_table(jobrun: Run) -> None:
    text = f"0 1 * * * {ME} mine\n0 2 * * * {OTHER} theirs\n"

    mine = jobrun("cron", "import", "-", "--system", text=text)
    theirs = jobrun("cron", "import", "-", "--system", "--user", OTHER, text=text)

    assert list(tomllib.loads(mine.stdout)["jobs"]) == ["mine"]
    assert f"`--user {OTHER}` makes one for it" in mine.stderr
    assert list(tomllib.loads(theirs.stdout)["jobs"]) == ["theirs"]
    assert (mine.returncode, theirs.returncode) == (1, 1)


def test_lines_that_are_commented_out_come_disabled(jobrun: Run) -> None:
    done = jobrun("cron", "import", "-", "--disabled", text="#0 1 * * * old\n")

    assert tomllib.loads(done.stdout)["jobs"]["old"]["enabled"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "cannot read `nowhere`: no such file or directory"),
        (["."], "cannot read `.`: is a directory"),
        (["-", "--user", "no-such-user"], "there is no user `no-such-user`"),
        (["/dev/zero"], "`/dev/zero` is larger than 1 MiB"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_in_one_line(jobrun: Run, words: list[str], message: str) -> None:
    done = jobrun("cron", "import", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"jobrun: {message}")
    assert done.stderr.count("\n") == 1
