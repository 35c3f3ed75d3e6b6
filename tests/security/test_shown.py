"""Nothing that a job printed, was named or failed with is obeyed by a terminal, a markup, or a log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobrun.cli.verbs import VERBS
from jobrun.log import Log
from tests.chaos.fuzzing.doors import VIEWERS, Viewers
from tests.inputs.face import ask, not_seen

CONTROLS = [
    *(bytes(range(256)).decode("utf-8", "surrogateescape"), "\x1b]0;title\x07", "\x1b]52;c;cm0gLXJm\x07"),
    *("\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\", "\x1b[2J\x1b[1;1H", "\x1b[6n", "\udc9b31m", "\x9b31m"),
    *('\x1bP$q"p\x1b\\', "\udc90x\udc9c", "\x1bX\x1b^\x1b_", "\x0e\x0f\b\b\x7f\r", "one\rtwo", "a\u202eb\u2066c\u200fd"),
    *("a\u061cb\u2028c\u2029d", "zero\u200bwidth\u200d\ufeff", "tag\U000e0041\U000e0042", "vs\U000e0101", "\u3164\u115f"),
    "\x1b[2J\u202e" * 15_000,
]  # fmt: skip
MARKUP = [
    "[/x]",
    "[bold]x",
    ":smile:",
    ":skull:",
    "[link=file:///etc/passwd]a",
    "[red]x[/red]",
    "[@click=x]y[/]",
]
# What only does something, or shows texts of its own, a table, or the bytes of one job; `cron` has its own tests.
NOT_VIEWED = {
    *(
        "enqueue",
        "exec",
        "worker",
        "cron",
        "wait",
        "retry",
        "cancel",
        "edit",
        "debug",
        "pause",
        "backup",
        "systemd",
    )
}


@pytest.fixture
def fancy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make what calls itself a terminal one that gets colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    return tmp_path


@pytest.mark.parametrize("text", CONTROLS, ids=lambda text: ascii(text[:60]))
def test_row_11_no_viewer_shows_what_a_terminal_obeys(text: str, fancy: Path) -> None:
    assert Viewers(fancy / "viewed").meet(text) is None


def test_row_11_every_verb_that_shows_what_is_kept_is_a_viewer() -> None:
    viewed = {words[0] for words in VIEWERS}

    assert viewed | NOT_VIEWED == {verb.name for verb in VERBS}
    assert not viewed & NOT_VIEWED


@pytest.mark.parametrize("text", ["one\ntwo", "a\r\nb", "\u2028", "\x85", "|'load'=9"], ids=ascii)
def test_a_monitor_reads_one_line_and_no_numbers_that_a_name_forged(text: str, fancy: Path) -> None:
    viewers = Viewers(fancy / "viewed")
    viewers.meet(text)

    for words in (["health"], ["health", "-Q", text], ["--db", f"{fancy}/{text}", "health"]):
        said = ask(["--db", str(fancy / "viewed" / "1.db"), *words])
        assert len(said.out.splitlines()) == 1
        assert said.out.count("|") <= 1
        assert "'load'=9" not in said.out.partition("|")[2]


@pytest.mark.parametrize("name", MARKUP)
@pytest.mark.parametrize("is_terminal", [False, True])
def test_row_12_markup_in_a_name_is_just_a_name(name: str, is_terminal: bool, fancy: Path) -> None:  # noqa: FBT001
    file = str(fancy / "jobs.db")
    ask(["--db", file, "enqueue", "--shell", name])

    for words in (["list"], ["inspect", "1"], ["status"]):
        said = ask(["--db", file, *words], is_terminal=is_terminal)
        assert said.code == 0
        assert name in said.out


@pytest.mark.parametrize(
    "text", ["x\nERROR fake", "x\r\nERROR fake", "x\u2028y", "\x1b[2J", "%s %d {0}", "\udcff"]
)
def test_row_13_an_event_is_one_line_of_the_log_whatever_it_tells_of(text: str, tmp_path: Path) -> None:
    file = tmp_path / "log"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    Log("worker 1", fd=fd).say("job-failed", f"job 1 attempt 1: error, {text}; now failed")
    os.close(fd)

    [line] = file.read_text("utf-8").split("\n")[:-1]
    assert line.endswith("; now failed")
    assert not_seen(line) is None


@pytest.mark.parametrize("name", ["a\nb", "a;b", "a\x1b[31mb", "a\u202eb", "a'b", "a?b#c%d", "--db", " "])
def test_row_26_a_job_file_of_any_name_is_named_harmlessly(name: str, tmp_path: Path) -> None:
    file = str(tmp_path / name)
    before = ask(["--db", file, "status"])
    missing = ask(["--db", file, "list"])
    made = ask(["--db", file, "enqueue", "m:f"])
    after = ask(["--db", file, "status"])

    assert [said.code for said in (before, missing, made, after)] == [0, 4, 0, 0]
    assert [len(said.err.splitlines()) for said in (before, missing, made)] == [1, 2, 1]
    assert all(not_seen(said.out + said.err) is None for said in (before, missing, made, after))
    assert Path(file).exists()
