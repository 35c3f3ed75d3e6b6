"""What is odd around the program: its output, its window, its locale, its directory, its zone, a ^C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.errors import UsageError
from jobrun.places import default_file
from tests.inputs.face import ask

Finished = subprocess.CompletedProcess[str]
Sh = Callable[..., Finished]
ADD = "jobrun enqueue -q --shell 'echo grün' --name a-name-that-is-long-enough-to-be-cut >/dev/null 2>&1; "


def check_silence(done: Finished) -> None:
    """Say that nothing went wrong."""
    assert (done.returncode, done.stderr) == (0, "")


def test_row_43_workers_do_not_make_the_folder_of_a_job_file(sh: Sh) -> None:
    done = sh("jobrun --db /nonexistent/q.db worker --burst")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "jobrun: there is no directory `/nonexistent`\nhint: mkdir -m 700 /nonexistent\n"


@pytest.mark.parametrize("words", ["list", "status", "inspect 1", "--help", "why 1"])
def test_row_63_an_output_that_takes_nothing_is_an_error_in_one_line(words: str, sh: Sh) -> None:
    full = sh(f"{ADD} jobrun {words} >/dev/full")
    closed = sh(f"jobrun {words} >&-")

    for done, why in ((full, "no space left on device"), (closed, "standard output is closed")):
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].lower() == f"jobrun: cannot write output: {why}"


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize(
    "around",
    [
        {"COLUMNS": "1"},
        {"COLUMNS": "20"},
        {"COLUMNS": "0"},
        {"COLUMNS": "x"},
        {"TERM": "dumb"},
        {"NO_COLOR": "1"},
    ],
    ids=str,
)
def test_row_64_no_window_and_no_colour_spoils_a_table(
    around: dict[str, str],
    is_terminal: bool,  # noqa: FBT001 -- a parameter of the test
    zone: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zone("UTC")
    for name, value in {"TERM": "xterm", **around}.items():
        monkeypatch.setenv(name, value)
    ask(["enqueue", "m:f", "--name", "a-name-that-is-long-enough-to-be-cut", "--in", "5m"])

    pages = [
        ask(words, is_terminal=is_terminal) for words in (["list"], ["inspect", "1"], ["status"], ["--help"])
    ]

    assert [page.code for page in pages] == [0, 0, 0, 0]
    assert "a-name-that-is-long-enough-to-be-cut" in pages[1].out
    is_plain = not is_terminal or around.get("COLUMNS") in {"1", "20"} or "COLUMNS" not in around
    assert any("\x1b" in page.out for page in pages) is not is_plain


@pytest.mark.parametrize(
    "around",
    [
        {"LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LANG": "nonsense"},
    ],
    ids=str,
)
def test_row_65_a_locale_without_letters_has_them_written_out(around: dict[str, str], sh: Sh) -> None:
    done = sh(f"{ADD} jobrun list && jobrun list --json", **around)

    check_silence(done)
    assert "gr\\xfcn" in done.stdout or "grün" in done.stdout
    assert "gr\\u00fcn" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "`HOME` is not set, so there is no default job file"),
        ({"HOME": ""}, "`HOME` is not set"),
        ({"HOME": "rel"}, "`HOME` is not an absolute path: `rel`"),
        ({"XDG_STATE_HOME": "rel"}, "`HOME` is not set"),
    ],
)
def test_row_66_without_a_home_there_is_no_default_job_file(environ: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told) as found:
        default_file(environ, is_root=False)

    assert found.value.hint == "name one with --db PATH"


def test_row_66_a_relative_state_folder_is_not_taken() -> None:
    environ = {"XDG_STATE_HOME": "rel", "HOME": "/home/ann"}

    assert default_file(environ, is_root=False) == "/home/ann/.local/state/jobrun/jobrun.db"


def test_row_66_a_job_file_that_is_made_is_named(sh: Sh, tmp_path: Path) -> None:
    done = sh('mkdir -m 700 "$PWD/new" && jobrun --db "$PWD/new/jobs.db" enqueue m:f')

    assert done.stderr == f"jobrun: new job file at {tmp_path}/new/jobs.db\n"


INSTANTS = [
    ["enqueue", "m:f", "--eta", "18:00"],
    ["cron", "check", "jobs.toml"],
    ["cron", "next", "jobs.toml"],
    ["cron", "explain", "0 3 * * *"],
    ["cron", "pause", "a", "--until", "18:00"],
]


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("JOBRUN_DB", str(tmp_path / "jobs.db"))
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "jobs.toml"
    table.touch(mode=0o600)
    table.write_text('[jobs.a]\nshell = "true"\nschedule = "0 3 * * *"\n')
    return lambda name: monkeypatch.setenv("TZ", name)


@pytest.mark.parametrize("words", INSTANTS, ids=" ".join)
@pytest.mark.parametrize("name", ["Nonsense/Zone", "../../etc/passwd", "UTC0", "a\nb"])
def test_row_67_a_zone_that_is_none_is_refused_where_a_time_is_read(
    words: list[str], name: str, zone: Callable[[str], None], tmp_path: Path
) -> None:
    zone(name)

    said = ask(words)

    shown = name.replace("\n", "\\n")
    assert said.code == 2
    assert said.err.splitlines()[0].endswith(f"`TZ` names no time zone: `{shown}`")
    assert said.err.splitlines()[1:] == ["hint: use a name such as Europe/Berlin, or unset TZ"]
    assert not (tmp_path / "jobs.db").exists()


@pytest.mark.parametrize(
    "words", [["enqueue", "m:f", "--in", "5m"], ["inspect", "1"], ["why", "1"]], ids=" ".join
)
def test_row_67_where_a_time_is_only_shown_utc_is_used_and_said_so(
    words: list[str], zone: Callable[[str], None]
) -> None:
    zone("UTC")
    ask(["enqueue", "m:f", "--in", "5m"])
    zone("Nonsense/Zone")

    said = ask(words)

    assert said.code == 0
    assert said.err == "jobrun: `TZ` names no time zone: `Nonsense/Zone`; times are shown in UTC\n"
    assert "UTC" in said.out or "+00:00" in said.out


def test_row_67_an_empty_zone_is_utc(zone: Callable[[str], None]) -> None:
    zone("")

    said = ask(["enqueue", "m:f", "--eta", "18:00"])

    assert said.code == 0
    assert said.out.endswith(" 18:00:00 UTC)\n")


BEGIN = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the first line of main does
os.write(%d, b".")
from jobrun.__main__ import main
main()
"""


def interrupted(environ: dict[str, str], after_s: float) -> tuple[int, str, str]:
    """Send ^C to `enqueue` so long after our code began to run, and return its code and what it wrote."""
    begun, begins = os.pipe()
    words = [sys.executable, "-P", "-c", BEGIN % begins, "enqueue", "m:f", "-q"]
    with subprocess.Popen(
        words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=[begins]
    ) as child:
        os.close(begins)
        os.read(begun, 1)
        os.close(begun)
        time.sleep(after_s)  # the moment of the signal is what is tried here
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    return child.returncode, out, err


def test_row_69_an_interrupt_leaves_an_id_and_a_job_or_neither(environ: dict[str, str], sh: Sh) -> None:
    sh("jobrun enqueue -q m:f")
    printed = ["1"]
    for n in range(16):
        code, out, err = interrupted(environ, 0.004 * n)
        assert code in {0, 130, -signal.SIGINT}
        assert err == ""
        printed += out.split()

    listed = sh("jobrun list --limit 1000 --json | grep -c '\"id\"'")
    assert int(listed.stdout) == len(printed) == len(set(printed))


def test_row_69_who_is_started_to_ignore_an_interrupt_ignores_it(sh: Sh) -> None:
    done = sh("trap '' INT; \"$PY\" -P -m jobrun enqueue -q --args - m:f < <(sleep 0.3; echo '[1]') & "
              "sleep 0.15; kill -INT $!; wait $!; echo code $?")  # fmt: skip

    assert done.stdout == "1\ncode 0\n"
