"""What decides what runs is ours alone, or it is refused; what we make is for its owner alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobrun.store import open_store
from tests.process.site import Site
from tests.security.face import AS_ROOT, NOBODY, as_user, jobrun_at, open_folder

OTHER = NOBODY - 1
TABLE = "[jobs.a]\nshell = 'true'\nevery = '1h'\n"


@pytest.fixture
def shared() -> Iterator[Path]:
    """Give a folder that other users may enter."""
    with open_folder() as folder:
        yield folder


def seen_by_others(folder: Path) -> list[str]:
    """Return what `find -perm /077` would."""
    return [
        f"{oct(place.lstat().st_mode)} {place}"
        for place in folder.rglob("*")
        if not place.is_symlink() and place.lstat().st_mode & 0o077
    ]


@pytest.mark.process
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_nothing_that_is_made_can_be_seen_by_others(tmp_path: Path, umask: int) -> None:
    state = tmp_path / "state" / "jobrun"
    db, big = state / "jobs.db", "x" * 100_000
    (tmp_path / "jobs.toml").write_text(TABLE)
    (tmp_path / "jobs.toml").chmod(0o600)
    for words in (
        ["enqueue", "--shell", "echo out; umask"],
        ["enqueue", "math:sqrt", "4"],
        ["enqueue", "builtins:len", big],  # through the spool
        ["worker", "--burst", "-n", "2", "--path", str(tmp_path)],
        ["cron", "trigger", str(tmp_path / "jobs.toml"), "a"],
    ):
        answer = jobrun_at(db, *words, cwd=tmp_path, umask=umask)
        assert answer.code == 0, answer
    with open_store(db) as store:
        assert seen_by_others(tmp_path / "state") == []
        made = {place.name for place in state.rglob("*")}
        assert {"jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.db.d", "gate", "housekeeper"} <= made
        [shell] = [each.ending.output.head for each in store.ledger.attempts(1)]
    assert shell == b"out\n%04o\n" % umask, "a job has the umask of who asked for it, not ours"


@pytest.mark.process
def test_nothing_of_a_working_group_can_be_seen_by_others(site: Site) -> None:
    before = os.umask(0)
    try:
        site.start(n=2)
    finally:
        os.umask(before)
    running = [
        site.call("until", str(site.folder / "go")),
        site.shell("while ! [ -e go ]; do sleep .01; done"),
    ]
    site.runs(running[0])

    files = [place for name in site.path.parent.glob("jobs.db*") for place in [name, *name.rglob("*")]]

    assert [place for place in files if place.stat().st_mode & 0o077] == []
    assert len(files) > 10
    (site.folder / "go").touch()
    for job_id in running:
        site.wait(job_id)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o660, 0o606, 0o666, 0o777])
@pytest.mark.parametrize(
    "verb", [["list"], ["enqueue", "m:f"], ["enqueue", "m:f", "--in", "1h"], ["worker", "--burst"]]
)
def test_a_job_file_that_others_can_write_is_refused(tmp_path: Path, mode: int, verb: list[str]) -> None:
    db = tmp_path / "jobs.db"
    open_store(db, create=True).close()
    db.chmod(mode)

    answer = jobrun_at(db, *verb, cwd=tmp_path)

    assert answer.code == 5
    assert f"`{db}` can be written by others" in answer.said
    assert f"hint: chmod 600 {db}" in answer.said


@pytest.mark.parametrize("depth", [1, 2])
def test_a_job_file_below_a_folder_that_all_can_write_is_refused(tmp_path: Path, depth: int) -> None:
    db = tmp_path / "a" / "b" / "jobs.db"
    db.parent.mkdir(parents=True, mode=0o700)
    open_store(db, create=True).close()
    db.parents[depth - 1].chmod(0o777)

    answer = jobrun_at(db, "list", cwd=tmp_path)

    assert (answer.code, f"`{db.parents[depth - 1]}` can be written by everybody" in answer.said) == (5, True)
    db.parents[depth - 1].chmod(0o1777)  # as /tmp
    assert jobrun_at(db, "list", cwd=tmp_path).code == 0


def test_a_folder_that_only_links_lead_through_counts_too(tmp_path: Path) -> None:
    db = tmp_path / "real" / "jobs.db"
    for name in ("real", "open", "mine"):
        (tmp_path / name).mkdir(mode=0o700)
    open_store(db, create=True).close()
    (tmp_path / "open" / "on").symlink_to(tmp_path / "real")
    (tmp_path / "mine" / "jobs.db").symlink_to(tmp_path / "open" / "on" / "jobs.db")
    assert jobrun_at(tmp_path / "mine" / "jobs.db", "list", cwd=tmp_path).code == 0

    (tmp_path / "open").chmod(0o777)

    answer = jobrun_at(tmp_path / "mine" / "jobs.db", "list", cwd=tmp_path)
    assert (answer.code, f"`{tmp_path / 'open'}` can be written by everybody" in answer.said) == (5, True)


def give_file(db: Path) -> None:
    os.chown(db, OTHER, OTHER)
    db.chmod(0o644)


def give_folder(db: Path) -> None:
    os.chown(db.parent, OTHER, OTHER)


def give_wal(db: Path) -> None:
    db.with_name("jobs.db-wal").touch(mode=0o644)
    os.chown(db.with_name("jobs.db-wal"), OTHER, OTHER)


def give_side_folder(db: Path) -> None:
    os.chown(db.with_name("jobs.db.d"), OTHER, OTHER)


@AS_ROOT
@pytest.mark.parametrize("give", [give_file, give_folder, give_wal, give_side_folder])
def test_what_belongs_to_another_user_is_refused(shared: Path, give: Callable[[Path], None]) -> None:
    db = shared / "mine" / "jobs.db"
    db.parent.mkdir(mode=0o755)
    open_store(db, create=True).close()
    for place in [db.parent, *db.parent.rglob("*")]:
        os.chown(place, NOBODY, NOBODY)
    assert as_user(NOBODY, db, "list").code == 0

    give(db)

    answer = as_user(NOBODY, db, "list")
    assert (answer.code, f"belongs to another user (uid {OTHER})" in answer.said) == (5, True)


def test_a_side_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    open_store(db, create=True).close()
    db.with_name("jobs.db.d").chmod(0o770)

    answer = jobrun_at(db, "enqueue", "m:f", cwd=tmp_path)

    assert (answer.code, "jobs.db.d` can be written by others" in answer.said) == (5, True)


@pytest.mark.parametrize("mode", [0o620, 0o602])
@pytest.mark.parametrize("verb", [["cron", "check"], ["cron", "next"], ["cron"]])
def test_a_table_that_others_can_write_is_refused(tmp_path: Path, mode: int, verb: list[str]) -> None:
    table = tmp_path / "jobs.toml"
    table.write_text(TABLE)
    table.chmod(mode)

    answer = jobrun_at(tmp_path / "jobs.db", *verb, str(table), cwd=tmp_path)

    assert (answer.code, f"`{table}` can be written by" in answer.said) == (5, True)
