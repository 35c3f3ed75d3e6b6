"""What a commit waits for, read back from where it counts."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import jobrun
from jobrun.dispatcher import process
from jobrun.errors import Refused, UsageError
from jobrun.scheduler import loop
from jobrun.store import Store, open_store
from jobrun.supervisor.clock import scheduler_of
from jobrun.supervisor.roles import Before, Roles
from jobrun.supervisor.settings import Settings
from jobrun.wire.channel import pair

SYNCHRONOUS = {1: "NORMAL", 2: "FULL"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


KILLED = """
import os, signal, sys
import jobrun

jobs = jobrun.open(sys.argv[1], durability="fast")
os.write(1, str(jobs.enqueue("a:f")).encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


def synchronous(store: Store) -> str:
    row = store._database.row("PRAGMA synchronous")
    assert row is not None
    return SYNCHRONOUS[row[0]]


def test_a_commit_waits_for_the_disk_unless_told_otherwise(path: Path) -> None:
    with open_store(path, create=True) as full, open_store(path, durability="fast") as fast:
        assert (synchronous(full), synchronous(fast)) == ("FULL", "NORMAL")


def test_a_program_chooses_for_itself(path: Path) -> None:
    with jobrun.open(path) as full, jobrun.open(path, durability="fast") as fast:
        assert (synchronous(full._store), synchronous(fast._store)) == ("FULL", "NORMAL")
        assert [each.enqueue("a:f") for each in (full, fast)] == [1, 2]


def test_an_unknown_durability_is_refused_and_makes_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBRUN_DB", str(path))

    with pytest.raises(UsageError, match="durability `slow` is not one of full, fast"):
        jobrun.open(path, durability="slow")
    with pytest.raises(UsageError, match="durability `slow` is not one of full, fast"):
        jobrun.options(durability="slow").enqueue("a:f")
    assert not path.exists()


@pytest.mark.parametrize("durability", ["full", "fast"])
def test_dispatcher_and_scheduler_commit_as_their_group_was_told(
    path: Path, durability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(_: Path, **how: object) -> Store:
        asked.append(how["durability"])
        raise Refused("enough is known")

    monkeypatch.setattr(process, "open_store", refuse)
    monkeypatch.setattr(loop, "open_store", refuse)
    table = path.with_name("jobs.toml")
    table.write_text('[jobs.a]\nshell = "true"\nevery = "1h"\n', encoding="utf-8")
    table.chmod(0o600)
    ours, theirs = pair(path.parent)

    Roles(
        Settings(path=path, workers=1, durability=durability), (), Before(cores=(0, 0), descriptors=1024)
    ).dispatcher(ours, 1)
    scheduler_of(table, path, durability=durability)(ours, 1)

    assert asked == [durability, durability]
    for end in (ours, theirs):
        end.close()


def test_what_a_fast_commit_acknowledged_outlives_its_process(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, check=False)

    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"1")
    with open_store(path) as store:
        assert store.ledger.get(1) is not None


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("words", [["a:f"], ["a:f", "--json"], ["--batch", "-"]])
@pytest.mark.parametrize(("durability", "waits"), [([], True), (["--durability", "fast"], False)])
def test_a_command_waits_for_the_disk_unless_told_otherwise(
    path: Path, words: list[str], durability: list[str], *, waits: bool
) -> None:
    with jobrun.open(path) as jobs:  # keeps the WAL in place, as workers do
        jobs.enqueue("a:f")
        trace = path.with_name("trace")
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "jobrun",
            "--db",
            path,
            "enqueue",
            *words,
            *durability,
        ]
        tracing: list[str | Path] = ["strace", "-f", "-e", "trace=fdatasync,fsync", "-o", trace]
        subprocess.run([*tracing, *command], input=b"a:f\n", capture_output=True, check=True)

    calls = trace.read_text(encoding="utf-8").splitlines()
    assert any("sync(" in call for call in calls) is waits


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["enqueue", "a:f", "--durability", "slow"], "`slow` is not one of full, fast"),
        (["enqueue", "a:f", "--durability"], "--durability needs a value (full|fast)"),
        (["worker", "--durability", "slow"], "durability `slow` is not one of full, fast"),
        (["cron", "run", "jobs.toml", "--durability", "slow"], "durability `slow` is not one of full, fast"),
    ],
)
def test_a_command_refuses_an_unknown_durability(path: Path, words: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", path, *words], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert told in done.stderr
    assert not path.exists()


def test_a_line_of_a_batch_has_no_durability_of_its_own(path: Path) -> None:
    for line in ("a:f --durability fast", '{"task": "a:f", "durability": "fast"}'):
        done = subprocess.run(
            [sys.executable, "-m", "jobrun", "--db", path, "enqueue", "--batch", "-"],
            input=line,
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 2
        assert not path.exists()
