"""A link that somebody planted leads us nowhere: what it points to is neither read, nor written, nor removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun import locks, private
from jobrun.store import open_store
from jobrun.wire.channel import pair
from jobrun.wire.messages import Hello
from tests.security.face import AS_ROOT, NOBODY, as_user, jobrun_at, open_folder

SIDE_FILES = ["gate", "gate.0", "bell.work", "bell.done", "housekeeper"]
VERBS = [["enqueue", "builtins:len", "abc"], ["worker", "--burst", "-n", "1", "--path", "."]]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Give a job file that works, in a folder of its own."""
    path = tmp_path / "state" / "jobs.db"
    path.parent.mkdir(mode=0o700)
    open_store(path, create=True).close()
    return path


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """Give a file that nobody may touch."""
    file = tmp_path / "precious"
    file.write_text("precious")
    file.chmod(0o600)
    return file


def unharmed(precious: Path) -> bool:
    return precious.read_text() == "precious" and precious.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal", ".d"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_link_beside_the_job_file_is_refused(
    db: Path, precious: Path, tmp_path: Path, ending: str, verb: list[str], *, is_dangling: bool
) -> None:
    place = Path(f"{db}{ending}")
    if place.is_dir():
        place.rename(tmp_path / "moved")
    place.unlink(missing_ok=True)
    place.symlink_to(tmp_path / "absent" if is_dangling else precious)

    answer = jobrun_at(db, *verb, cwd=tmp_path)

    assert (answer.code, f"`{place}` is a symbolic link" in answer.said) == (5, True)
    assert unharmed(precious)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("verb", [["enqueue", "m:f"], ["list"], ["worker", "--burst"]])
def test_a_dangling_link_is_no_place_for_a_new_job_file(tmp_path: Path, verb: list[str]) -> None:
    (tmp_path / "jobs.db").symlink_to(tmp_path / "absent")

    answer = jobrun_at(tmp_path / "jobs.db", *verb, cwd=tmp_path)

    assert answer.code == 4, answer
    assert not (tmp_path / "absent").exists()


@AS_ROOT
def test_a_link_to_the_job_file_that_another_user_planted_is_refused() -> None:
    with open_folder() as folder:
        folder.chmod(0o1777)
        db = folder / "state" / "jobs.db"
        db.parent.mkdir(mode=0o755)
        open_store(db, create=True).close()
        for place in [db.parent, *db.parent.rglob("*")]:
            os.chown(place, NOBODY, NOBODY)
        (folder / "link").symlink_to(db)
        os.chown(folder / "link", NOBODY - 1, NOBODY - 1, follow_symlinks=False)

        assert as_user(NOBODY, db, "list").code == 0
        assert as_user(NOBODY, folder / "link", "list").code == 5


@pytest.mark.process
@pytest.mark.parametrize("name", SIDE_FILES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_link_in_the_side_folder_is_not_followed(
    db: Path, precious: Path, tmp_path: Path, name: str, verb: list[str]
) -> None:
    assert jobrun_at(db, "enqueue", "builtins:len", "abc", cwd=tmp_path).code == 0
    place = Path(f"{db}.d") / name
    place.unlink(missing_ok=True)
    place.symlink_to(precious)
    times = precious.stat().st_mtime_ns

    answer = jobrun_at(db, *verb, cwd=tmp_path)

    assert "Traceback" not in answer.said
    assert unharmed(precious)
    assert precious.stat().st_mtime_ns == times, "not even rung"


@pytest.mark.parametrize("name", ["locks", "logs", "spool"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_link_in_place_of_a_side_folder_is_refused(
    db: Path, tmp_path: Path, name: str, verb: list[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "w000000000000").touch()  # a name as ours, long out of date
    os.utime(elsewhere / "w000000000000", (0, 0))
    (Path(f"{db}.d") / name).rmdir()
    (Path(f"{db}.d") / name).symlink_to(elsewhere)

    answer = jobrun_at(db, *verb, cwd=tmp_path)

    assert (answer.code, "symbolic link" in answer.said) == (5, True)
    assert [place.name for place in elsewhere.iterdir()] == ["w000000000000"]


@pytest.mark.parametrize("make", [private.open_file, private.open_pipe, locks.take, locks.is_held])
def test_what_opens_side_files_follows_no_link(
    make: Callable[[Path], object], precious: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(precious)

    with pytest.raises(OSError, match="symbolic links"):
        make(link)

    assert unharmed(precious)


def test_a_spooled_message_is_never_written_through_a_link(
    tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["a" * 32, "b" * 32])
    monkeypatch.setattr("secrets.token_hex", lambda _size: next(names))
    (tmp_path / ("a" * 32)).symlink_to(precious)
    ours, theirs = pair(tmp_path)

    ours.send(Hello(generation=0, unsettled=["x" * 100_000]))  # finds no place under the first name
    assert theirs.receive() is None
    assert ours.flush()

    assert isinstance(theirs.receive(), Hello)
    assert unharmed(precious)
    ours.close()
    theirs.close()
