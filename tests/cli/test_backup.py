"""`jobrun backup`: a whole copy, or none."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobrun import locks
from jobrun.model import Job, Kind, NewJob
from jobrun.store import Store, open_store
from tests.cli.conftest import Finished

Command = Callable[..., Finished]


def _jobs(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(reader.execute("SELECT count(*) FROM jobs").fetchone()[0])


def test_a_backup_holds_what_is_committed_and_is_private(
    jobrun: Command, add: Callable[..., Job], tmp_path: Path
) -> None:
    for _ in range(3):
        add()

    done = jobrun("backup", str(tmp_path / "copy.db"))

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"saved `{tmp_path / 'copy.db'}`, ")
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert _jobs(tmp_path / "copy.db") == 3


def test_a_backup_is_a_job_file(jobrun: Command, add: Callable[..., Job], tmp_path: Path) -> None:
    add("app:kept")
    jobrun("backup", str(tmp_path / "copy.db"))

    [job] = json.loads(jobrun("--db", str(tmp_path / "copy.db"), "list", "--json").stdout)

    assert job["task"] == "app:kept"


@pytest.mark.usefixtures("store")
def test_a_backup_says_in_json_what_it_wrote(jobrun: Command, tmp_path: Path) -> None:
    said = json.loads(jobrun("backup", str(tmp_path / "copy.db"), "--json").stdout)

    assert said == {"path": str(tmp_path / "copy.db"), "bytes": (tmp_path / "copy.db").stat().st_size}


@pytest.mark.usefixtures("store")
def test_a_backup_ends_while_others_commit_without_a_pause(
    jobrun: Command, path: Path, tmp_path: Path
) -> None:
    padding = ["x" * 2_000]
    over = threading.Event()

    def write() -> None:
        with open_store(path) as store:
            while not over.is_set():
                new = NewJob(kind=Kind.CALL, task="app:work", args=tuple(padding))
                store.intake.add([new] * 20, now=datetime.now(UTC))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = [jobrun("backup", str(tmp_path / f"{n}.db")) for n in range(2)]
    finally:
        over.set()
        writer.join()

    assert [each.returncode for each in done] == [0, 0]
    sizes = [_jobs(tmp_path / f"{n}.db") for n in range(2)]
    assert sizes == sorted(sizes)
    assert all(size % 20 == 0 for size in sizes)  # what is one commit is there wholly or not


def test_what_is_there_is_replaced_only_if_asked(
    jobrun: Command, add: Callable[..., Job], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("mine")

    refused = jobrun("backup", str(copy))

    assert (refused.returncode, copy.read_text()) == (1, "mine")
    assert "nothing was written" in refused.stderr
    add()
    assert jobrun("backup", str(copy), "--replace").returncode == 0
    assert _jobs(copy) == 1


@pytest.mark.usefixtures("store")
def test_no_backup_takes_the_place_of_a_job_file_that_is_used(
    jobrun: Command, path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    with open_store(other, create=True) as served:
        [added] = served.intake.add([NewJob(kind=Kind.CALL, task="app:work")], now=datetime.now(UTC))
    with locks.taken(f"{other}.d/locks/w1"):
        busy = jobrun("backup", str(other), "--replace")
    itself = jobrun("backup", str(path), "--replace")

    assert (busy.returncode, itself.returncode) == (1, 2)
    assert "workers run on" in busy.stderr
    assert "the job file itself" in itself.stderr
    assert _jobs(other) == added.id == 1


@pytest.mark.usefixtures("store")
def test_a_backup_goes_through_no_link_and_into_no_folder_by_that_name(
    jobrun: Command, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    refused = [jobrun("backup", str(tmp_path / name), "--replace") for name in ("link", "", "no/such")]

    assert [each.returncode for each in refused] == [5, 2, 2]
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.mark.usefixtures("store")
def test_a_backup_sweeps_what_a_killed_one_left_and_spares_what_lives(
    jobrun: Command, tmp_path: Path
) -> None:
    dead, living = tmp_path / "copy.db.copy-00000001", tmp_path / "copy.db.copy-00000002"
    other = tmp_path / "copy.db.copy-notes"
    for file in (dead, living, other, tmp_path / f"{dead.name}-wal"):
        file.touch()

    with locks.taken(living):
        assert jobrun("backup", str(tmp_path / "copy.db")).returncode == 0

    assert sorted(name for name in os.listdir(tmp_path) if ".copy-" in name) == [living.name, other.name]


def test_a_damaged_job_file_gives_no_backup(
    jobrun: Command, path: Path, add: Callable[..., Job], store: Store, tmp_path: Path
) -> None:
    for _ in range(200):
        add("app:work", args=("x" * 500,))
    assert store.checkpoint()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 9000)

    done = jobrun("backup", str(tmp_path / "copy.db"))

    assert done.returncode == 4
    assert "damaged" in done.stderr
    assert not list(tmp_path.glob("copy.db*"))
