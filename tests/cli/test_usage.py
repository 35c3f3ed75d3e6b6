from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.cli.app import run
from jobrun.cli.verb import Verb
from jobrun.cli.verbs import VERBS as ALL
from jobrun.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]

WITH_DOORS = ["enqueue", "exec"]  # which have help pages of their own
VERBS = [verb.name for verb in ALL if isinstance(verb, Verb) and verb.name not in WITH_DOORS]


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["enque"], "unknown command `enque`", "did you mean `enqueue`?"),
        (["lst"], "unknown command `lst`", "did you mean `list`?"),
        (["list", "--stat", "x"], "no such option: --stat", "did you mean `--state`?"),
        (
            ["list", "--limit"],
            "option `--limit` requires an argument",
            "`jobrun list --help` shows what there is",
        ),
        (["inspect"], "missing argument `ID`", "`jobrun inspect --help` shows what there is"),
        (["worker", "-n", "0"], "-n is a whole number from 1 to 256, not `0`", None),
        (["worker", "-n", "-1"], "-n is a whole number from 1 to 256, not `-1`", None),
        (["worker", "-n", "1000000"], "-n is a whole number from 1 to 256, not `1000000`", None),
        (["worker", "-n", "2.5"], "-n is a whole number from 1 to 256, not `2.5`", None),
        (["worker", "--drain", "x"], "bad duration `x`", "forms: 90s, 5m, 2h, 1d, 1h30m"),
    ],
)
def test_words_that_make_no_sense_are_one_line_and_a_hint(
    argv: list[str], message: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        run(argv, Path("/nowhere/jobs.db"))

    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize("queue", ["a b/../c", "", "x" * 1000, "🙂"])
def test_a_worker_refuses_a_name_that_no_queue_can_have(queue: str) -> None:
    with pytest.raises(UsageError, match="bad queue"):
        run(["worker", "--queue", queue], Path("/nowhere/jobs.db"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([verb, "--help"], None) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("Usage: jobrun")
    assert f"    jobrun {verb}" in shown.split("Examples:")[1]
    assert max(map(len, shown.splitlines())) <= 80


def test_help_names_every_verb_and_exit_code(jobrun: Run) -> None:
    done = jobrun("--help")

    assert done.returncode == 0
    assert all(f"\n  {verb}" in done.stdout for verb in [*VERBS, *WITH_DOORS])
    assert "124 when the time ran out" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("argv", [[], ["list"], ["status", "--json"], ["--help"]])
@pytest.mark.usefixtures("store")
def test_a_full_disk_behind_stdout_is_an_error(argv: list[str], environ: dict[str, str]) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jobrun", *argv],
            env=environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert "Traceback" not in done.stderr
    assert done.returncode == 1 or (argv == ["list"] and not done.returncode)  # an empty list prints nothing


@pytest.mark.usefixtures("store")
def test_a_closed_stdout_is_no_traceback(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobrun", "status"],
        env=environ,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(1),
        text=True,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


@pytest.mark.parametrize("argv", [["failed"], ["list"], ["enqueue", "m:f", "--key", "taken"], ["enqueue"]])
@pytest.mark.usefixtures("store")
def test_a_closed_stderr_costs_the_remarks_and_nothing_else(
    argv: list[str], jobrun: Run, environ: dict[str, str]
) -> None:
    jobrun("enqueue", "m:f", "--key", "taken")
    command = [sys.executable, "-m", "jobrun", *argv]

    done = subprocess.run(
        command, env=environ, stdout=subprocess.PIPE, preexec_fn=lambda: os.close(2), check=False
    )

    assert done.returncode == (2 if argv == ["enqueue"] else 0)
    assert b"Traceback" not in done.stdout


@pytest.mark.parametrize(
    "argv", [["--db", "jobs.db", "enqueue", "m:f"], ["enqueue", "--check", "m:f"], ["worker", "--burst"]]
)
def test_a_working_directory_that_is_gone_is_no_bug(
    argv: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = [sys.executable, "-P", "-m", "jobrun", *argv]

    done = subprocess.run(
        ["/bin/sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", *words],
        env=environ,
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "jobrun: the working directory does not exist any more\nhint: change to one that does\n"
    )


@pytest.mark.parametrize(
    "argv", [["enqueue", "m:f\n"], ["enqueue", "m:f", "-Q", "a\nb"], ["list", "--state", "a\nb"], ["a\nb"]]
)
def test_what_is_wrong_is_said_in_one_line_whatever_was_asked(argv: list[str], jobrun: Run) -> None:
    done = jobrun(*argv)

    first, *rest = done.stderr.splitlines()
    assert first.startswith("jobrun: ")
    assert "\\n" in first
    assert all(line.startswith("hint: ") for line in rest)
