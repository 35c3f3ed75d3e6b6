"""trigger, pause and resume: what a person does about entries."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.cron.words import TickState
from jobrun.model import State
from jobrun.store import Store

Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]
Write = Callable[..., Path]

HERE = """
[jobs.hello]
shell = "echo hello; exit $CODE"
schedule = "@yearly"
cwd = "/"
env = {CODE = "3"}

[jobs.many]
shell = "true"
schedule = "@yearly"
overlap = "allow"
"""


@pytest.fixture
def file(table: Write) -> Path:
    return table(HERE)


def test_a_triggered_entry_becomes_a_job_and_a_tick(file: Path, store: Store, jobrun: Run) -> None:
    done = jobrun("cron", "trigger", str(file), "hello")

    job = store.ledger.get(1)
    [tick] = store.ticks.of("hello")
    assert done.stdout == "job 1 queued: hello: echo hello; exit $CODE on default, due now\n"
    assert job is not None
    assert (job.state, job.entry, job.scheduled_for) == (State.READY, "hello", None)
    assert (tick.state, tick.job_id, tick.reason) == (TickState.RAN, 1, "triggered by a person")


def test_a_job_of_the_entry_is_in_the_way_unless_it_allows_several(file: Path, jobrun: Run) -> None:
    for name in ("hello", "many", "many"):
        assert jobrun("cron", "trigger", str(file), name).returncode == 0

    done = jobrun("cron", "trigger", str(file), "hello")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "jobrun: `hello` runs already as job 1; not triggered\n"


def test_the_answer_may_be_the_id_alone_or_json(file: Path, jobrun: Run, jobrun_json: RunJson) -> None:
    assert jobrun("cron", "trigger", str(file), "many", "-q").stdout == "1\n"
    assert jobrun_json("cron", "trigger", str(file), "many")["entry"] == "many"


def test_an_entry_that_the_table_has_not_is_not_triggered(file: Path, path: Path, jobrun: Run) -> None:
    done = jobrun("cron", "trigger", str(file), "helo")

    assert done.returncode == 1
    assert done.stderr == f"jobrun: no entry `helo` in `{file}`\nhint: did you mean `hello`?\n"
    assert not path.exists()


@pytest.mark.process
def test_in_the_foreground_its_output_and_its_exit_code_are_ours(
    file: Path, store: Store, jobrun: Run
) -> None:
    done = jobrun("cron", "trigger", str(file), "hello", "--fg")

    assert (done.returncode, done.stdout) == (3, "hello\n")
    assert done.stderr == "[job 1 runs here; ^C cancels it]\n[job 1 failed: exit 3]\n"
    job = store.ledger.get(1)
    assert job is not None
    assert (job.cwd, job.retries, job.queue) == ("/", 0, "default")


@pytest.mark.process
def test_in_the_foreground_a_function_is_imported_from_where_one_says(
    table: Write, tmp_path: Path, jobrun: Run
) -> None:
    file = table('[jobs.call]\ncall = "shop_of_tests:sell"\nschedule = "@manual"\n')
    folder = tmp_path / "modules"
    folder.mkdir(mode=0o700)
    (folder / "shop_of_tests.py").write_text("def sell():\n    print('sold')\n", encoding="utf-8")

    done = jobrun("cron", "trigger", str(file), "call", "--fg", "--path", str(folder))

    assert (done.returncode, done.stdout) == (0, "sold\n")
    assert jobrun("cron", "trigger", str(file), "call", "--path", str(folder)).returncode == 2


@pytest.mark.process
def test_an_interrupt_cancels_what_runs_in_the_foreground(
    table: Write, store: Store, environ: dict[str, str]
) -> None:
    file = table('[jobs.long]\nshell = "echo begun; exec sleep 60"\nschedule = "@yearly"\n')
    command = [sys.executable, "-m", "jobrun", "cron", "trigger", str(file), "long", "--fg"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    job = store.ledger.get(1)
    assert job is not None
    assert (job.state, job.signal) == (State.CANCELLED, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.process
def test_the_second_interrupt_leaves_the_job_to_its_end_and_says_so(
    table: Write, environ: dict[str, str]
) -> None:
    file = table(
        '[jobs.deaf]\nschedule = "@yearly"\n'
        "shell = \"trap 'echo asked' TERM; mkfifo fifo; echo begun; sleep 60; read line < fifo\"\n"
    )
    with file.open("a") as more:
        more.write(f'cwd = "{file.parent}"\n')
    command = [sys.executable, "-m", "jobrun", "cron", "trigger", str(file), "deaf", "--fg"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGINT)
        while process.stdout.readline() != b"asked\n":
            pass
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    (file.parent / "fifo").write_text("end\n", encoding="utf-8")

    assert process.returncode == 130
    assert said.endswith(b"\n[job 1 goes on without us; `jobrun why 1` tells of it]\n")


@pytest.mark.process
def test_what_cannot_run_in_the_foreground_is_cancelled_with_the_reason(
    file: Path, store: Store, environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    command = [sys.executable, "-P", "-m", "jobrun", "cron", "trigger", str(file), "hello", "--fg"]

    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)

    job = store.ledger.get(1)
    assert job is not None
    assert (done.returncode, job.state) == (125, State.CANCELLED)
    assert "can be written by everybody" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pause_says_when_it_ends_and_is_kept(
    file: Path, store: Store, load: Callable[..., None], jobrun: Run, jobrun_json: RunJson
) -> None:
    load(file, now=datetime.now(UTC))

    assert "hello is paused until 20" in jobrun("cron", "pause", "hello", "--for", "2h").stdout
    row = store.entries.get("hello")
    assert row is not None
    assert row.is_paused_at(datetime.now(UTC) + timedelta(hours=1))
    assert not row.is_paused_at(datetime.now(UTC) + timedelta(hours=3))
    assert jobrun_json("cron", "resume", "hello")["is_paused"] is False
    assert jobrun("cron", "resume", "hello").stderr == "jobrun: `hello` is not paused\n"


def test_a_pause_without_an_end_lasts_until_somebody_resumes(
    file: Path, load: Callable[..., None], jobrun: Run, jobrun_json: RunJson
) -> None:
    load(file, now=datetime.now(UTC))

    assert jobrun("cron", "pause", "hello").stdout == "hello is paused until `jobrun cron resume hello`\n"
    assert jobrun_json("cron", "pause", "hello")["paused_until"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["helo"], "no entry `helo`"),
        (["hello", "--for", "1h", "--until", "12:00"], "--for and --until both say when it ends"),
        (["hello", "--until", "2020-01-01T00:00:00Z"], "the end of the pause is in the past"),
    ],
)
def test_a_pause_that_makes_no_sense_changes_nothing(
    words: list[str], message: str, file: Path, load: Callable[..., None], jobrun: Run
) -> None:
    load(file, now=datetime.now(UTC))

    done = jobrun("cron", "pause", *words)

    assert done.returncode == (1 if words == ["helo"] else 2)
    assert message in done.stderr
    assert jobrun("cron", "resume", "hello").returncode == 1
