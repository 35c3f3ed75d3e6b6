from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.cli.app import run
from jobrun.cli.families import CRON
from jobrun.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]

VERBS = [verb.name for verb in CRON.verbs]


@pytest.mark.parametrize("words", [["broken.toml"], ["./broken"], ["broken"], ["-n", "0", "broken.toml"]])
def test_a_table_or_an_option_goes_without_the_verb(
    words: list[str], table: Callable[..., Path], jobrun: Run
) -> None:
    for name in ("broken", "broken.toml"):
        table("[jobs.a]\n", name)

    done = jobrun("cron", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{words[-1].removeprefix('./')}:1: " in done.stderr


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([], "cron needs a table or a verb", "`jobrun cron jobs.toml` schedules and runs"),
        (["chek"], "unknown command `cron chek`", "did you mean `check`?"),
        (["xyzzy"], "unknown command `cron xyzzy`", "or a table such as jobs.toml"),
        (["next"], "missing argument `FILE`", "`jobrun cron next --help` shows what there is"),
        (["pause", "a", "--fr", "1h"], "no such option: --fr", "did you mean `--for`?"),
        (["-n", "-1", "jobs.toml"], "-n is a whole number from 0 to 256, not `-1`", ""),
        (["pause", "a/b"], "bad entry `a/b`", "1 to 64 of"),
        (["next", "jobs.toml", "--from", "noon"], "time `noon` is not understood", "forms: "),
    ],
)
def test_words_that_make_no_sense_are_one_line_and_a_hint(words: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(["cron", *words], Path("/nowhere/jobs.db"))

    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["cron", verb, "--help"], None) == 0

    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: jobrun cron {verb}")
    assert f"    jobrun cron {verb}" in shown.split("Examples:")[1]
    assert max(map(len, shown.splitlines())) <= 80


def test_help_names_every_verb(jobrun: Run) -> None:
    shown = jobrun("cron", "--help").stdout

    assert all(f"\n  {verb} " in shown for verb in VERBS)
    assert jobrun("help", "cron", "next").stdout.startswith("Usage: jobrun cron next")
