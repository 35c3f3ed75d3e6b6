"""Completion: what may follow is known from the verbs and from the job file, in each of three shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.cli.completion import scripts
from jobrun.model import Job
from tests.screen import Screen, needs_tmux

Finished = subprocess.CompletedProcess[str]
Run = Callable[..., Finished]
Add = Callable[..., Job]


@pytest.fixture
def after(jobrun: Run) -> Callable[..., list[str]]:
    """Return what could follow some words, of which the last may be empty."""

    def answered(*words: str) -> list[str]:
        done = jobrun("completion", "--answer", "fish", "--", *words)
        assert (done.returncode, done.stderr) == (0, "")
        return [line.partition("\t")[0] for line in done.stdout.splitlines()]

    return answered


After = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["li"], ["list"]),
        (["list", "fa"], ["failed"]),
        (["list", "--state", "cr"], ["crashed"]),
        (["list", "--state=cr"], ["--state=crashed"]),
        (["list", "--st"], ["--state"]),
        (["list", "failed", "cra"], ["crashed"]),
        (["worker", "--durability", ""], ["full", "fast"]),
        (["worker", "--cron", ""], [":files"]),
        (["worker", "--burst", "--dura"], ["--durability"]),
        (["cron", "res"], ["resume", ":files"]),
        (["systemd", ""], ["worker", "cron"]),
        (["enqueue", "--max-"], ["--max-backoff"]),
        (["enqueue", "-x", "--", ""], [":files"]),
        (["exec", "--if-b"], ["--if-busy"]),
        (["exec", "--if-busy", ""], ["fail", "skip"]),
        (["exec", "--key", "a", "--", ""], [":files"]),
        (["backup", ""], [":files"]),
        (["backup", "a.db", ""], []),
        (["--d"], ["--db"]),
        (["--db", ""], [":files"]),
        (["--db", "x.db", "wor"], ["worker", "workers"]),
        (["nonsense", ""], []),
        (["list", "--limit", ""], []),
    ],
)
def test_the_words_that_may_follow_are_those_of_the_verb(
    words: list[str], expected: list[str], after: After
) -> None:
    assert after(*words) == expected


def test_every_verb_is_offered_with_what_it_does(jobrun: Run) -> None:
    said = dict(
        line.split("\t") for line in jobrun("completion", "--answer", "zsh", "--", "").stdout.splitlines()
    )

    assert said["list"] == "Show jobs, the newest first."
    assert all(said.values())


def test_ids_are_those_that_the_verb_is_for(after: After, add: Add, fail: Add, end: Add) -> None:
    failed, succeeded, waiting = fail(), end(), add()

    assert after("failed", "") == [str(failed.id)]
    assert after("cancel", "") == [str(waiting.id)]
    assert after("inspect", "") == [str(job.id) for job in (waiting, succeeded, failed)]
    assert after("inspect", "1", "") == []


def test_queues_tasks_and_tags_are_those_of_the_file(after: After, add: Add) -> None:
    add("shop.mail:send", queue="mail", tags=("night",))

    assert after("list", "-Q", "") == ["mail"]
    assert after("enqueue", "shop.") == ["shop.mail:send"]
    assert after("failed", "--tag", "ni") == ["night"]


def test_what_was_purged_is_still_known(after: After, fail: Add, jobrun: Run) -> None:
    fail("shop.mail:send", queue="mail")
    jobrun("failed", "--purge", "--all", "--yes")

    assert after("list", "-Q", "") == ["mail"]
    assert after("list", "--task", "") == ["shop.mail:send"]


def test_words_that_a_shell_would_take_apart_are_not_offered(after: After, add: Add) -> None:
    add("app:work", tags=("a b", "$(reboot)", "`x`", "fine"))

    assert after("list", "--tag", "") == ["fine"]


def test_the_file_that_the_words_name_is_asked(
    after: After, add: Add, jobrun: Run, environ: dict[str, str], tmp_path: Path
) -> None:
    add(queue="mail")
    copy = tmp_path / "copy.db"
    jobrun("backup", str(copy))
    environ["JOBRUN_DB"] = str(tmp_path / "none.db")

    assert after("list", "-Q", "") == []
    assert after("--db", str(copy), "list", "-Q", "") == ["mail"]


def test_nothing_is_said_of_a_file_that_cannot_be_read(after: After, path: Path) -> None:
    path.write_text("no job file")

    assert after("cancel", "") == []
    assert after("list", "fa") == ["failed"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("jobrun list --state=cr", ["crashed"]),
        ("jobrun enqueue shop.mail:se", ["send"]),
        ("jobrun list fa", ["failed"]),
        ("jobrun list 'fa", ["failed"]),
    ],
)
def test_bash_is_told_what_follows_the_last_break_of_a_word(
    line: str, expected: list[str], jobrun: Run, add: Add
) -> None:
    add("shop.mail:send")

    assert jobrun("completion", "--answer", "bash", "--", line).stdout.splitlines() == expected


def test_the_shell_is_that_of_the_caller(environ: dict[str, str], jobrun: Run) -> None:
    environ["SHELL"] = "/usr/bin/fish"
    assert jobrun("completion").stdout == scripts.FISH

    environ["SHELL"] = "/bin/dash"
    done = jobrun("completion")
    assert done.returncode == 2
    assert done.stderr == (
        "jobrun: cannot tell which shell this is: SHELL is `dash`\n"
        "hint: name it, as in `jobrun completion bash`\n"
    )


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_shellcheck_finds_nothing_wrong_with_the_script_of_bash() -> None:
    done = subprocess.run(
        ["shellcheck", "--shell=bash", "-"], input=scripts.BASH, capture_output=True, text=True, check=False
    )

    assert done.stdout == ""


STARTS = {
    "bash": "bash --norc --noprofile",
    "zsh": "zsh -f",
    "fish": "fish --no-config",
}
SOURCES = {
    "bash": "source <(jobrun completion bash)",
    "zsh": "autoload -Uz compinit; compinit -u -d zcompdump; source <(jobrun completion zsh)",
    "fish": "jobrun completion fish | source",
}


@needs_tmux
@pytest.mark.parametrize("shell", STARTS)
def test_tab_completes_in_a_real_shell(
    shell: str, environ: dict[str, str], tmp_path: Path, add: Add, end: Add
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    end()
    waiting = add("shop.mail:send")
    program = tmp_path / "bin" / "jobrun"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m jobrun "$@"\n')
    program.chmod(0o755)
    environ |= {"PATH": f"{program.parent}{os.pathsep}{environ['PATH']}", "HOME": str(tmp_path)}
    with Screen(STARTS[shell], environ, tmp_path) as screen:
        screen.type(SOURCES[shell], "Enter")
        screen.type("clear; echo re''ady", "Enter")
        screen.until("ready")

        screen.type("jobrun cance", "Tab")
        screen.until("jobrun cancel")
        screen.type("Tab")
        screen.until(f"jobrun cancel {waiting.id}")
        screen.type("C-u")
        screen.type("jobrun enqueue shop.mail:s", "Tab")
        screen.until("jobrun enqueue shop.mail:send")
