"""What is opened as a job file, what is refused, and what making one leaves on the disk."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobrun.errors import JobFileUnusable, JobrunError, Refused
from jobrun.model import JobFilter, Kind, NewJob
from jobrun.paths import side_dir
from jobrun.store import open_store
from jobrun.store.version import APPLICATION_ID, VERSION
from jobrun.units import from_ms

NOW = from_ms(1_800_000_000_000)
NOBODY = 65534


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    """Set the umask for the length of a test."""
    before = os.umask(0o077)
    os.umask(before)
    yield lambda mask: (os.umask(mask), None)[1]
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 40)
    path.chmod(0o600)


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE jobs (id INTEGER)")
    connection.close()
    path.chmod(0o600)


def newer(path: Path) -> None:
    open_store(path, create=True).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()


def truncated(path: Path) -> None:
    open_store(path, create=True).close()
    os.truncate(path, 50)


def rollback_journal(path: Path) -> None:
    open_store(path, create=True).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.fspath(path))


def others_may_write(path: Path) -> None:
    open_store(path, create=True).close()
    path.chmod(0o666)


def group_may_write(path: Path) -> None:
    open_store(path, create=True).close()
    path.chmod(0o660)


def in_a_shared_folder(path: Path) -> None:
    open_store(path, create=True).close()
    path.parent.chmod(0o777)


def hard_link(path: Path) -> None:
    open_store(path, create=True).close()
    path.with_name("other").hardlink_to(path)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (Path.mkdir, JobFileUnusable, "not a regular file"),
        (os.mkfifo, JobFileUnusable, "not a regular file"),
        (unix_socket, JobFileUnusable, "not a regular file"),
        (lambda path: path.symlink_to("nowhere"), JobFileUnusable, "no job file"),
        (lambda path: path.symlink_to(path), JobFileUnusable, "symbolic links"),
        (Path.touch, JobFileUnusable, "is empty"),
        (garbage, JobFileUnusable, "not a job file"),
        (truncated, JobFileUnusable, "not a job file|damaged"),
        (foreign, JobFileUnusable, "not a job file of jobrun"),
        (newer, JobFileUnusable, "newer jobrun"),
        (rollback_journal, JobFileUnusable, "journal mode delete"),
        (others_may_write, Refused, "written by others"),
        (group_may_write, Refused, "written by others"),
        (in_a_shared_folder, Refused, "written by everybody"),
        (hard_link, Refused, "2 names"),
    ],
)
@pytest.mark.parametrize("create", [False, True])
def test_what_is_no_job_file_of_ours_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], object], error: type[JobrunError], words: str, *, create: bool
) -> None:
    path = tmp_path / "folder" / "jobs.db"
    path.parent.mkdir(mode=0o700)
    make(path)
    is_file = path.is_file()
    before = path.read_bytes() if is_file else b""

    with pytest.raises(error, match=words):
        open_store(path, create=create)

    assert not is_file or path.read_bytes() == before
    assert not list(path.parent.glob("*.new-*"))


def test_nothing_is_made_by_looking(path: Path) -> None:
    with pytest.raises(JobFileUnusable, match="no job file"):
        open_store(path)

    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("path_of", ["file", "file/jobs.db"])
def test_a_file_is_no_folder_for_a_job_file(tmp_path: Path, path_of: str) -> None:
    (tmp_path / "file").write_text("precious")

    with pytest.raises(JobFileUnusable):
        open_store(tmp_path / path_of / "jobs.db", create=True)

    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_job_file_is_private_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], None], mask: int
) -> None:
    path = tmp_path / "state" / "jobrun" / "jobs.db"
    umask(mask)

    with open_store(path, create=True) as store:
        store.intake.add([NewJob(kind=Kind.CALL, task="app:f")], now=NOW)
        made = [found for found in tmp_path.rglob("*") if not found.is_symlink()]

    assert {found.name: oct(mode(found)) for found in made if found.is_file() and mode(found) != 0o600} == {}
    assert {found.name: oct(mode(found)) for found in made if found.is_dir() and mode(found) != 0o700} == {}
    assert {"jobs.db", "jobs.db-wal", "jobs.db.d", "gate", "locks", "logs", "spool"} <= {f.name for f in made}


def test_a_mistyped_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(JobFileUnusable, match="no directory"):
        open_store(tmp_path / "tpyo" / "jobs.db", create=True)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)

    open_store(tmp_path / "mine" / "jobs.db", create=True).close()

    assert mode(tmp_path / "mine") == 0o755


def test_only_the_opening_that_makes_a_file_says_so(path: Path) -> None:
    with open_store(path, create=True) as first, open_store(path, create=True) as second:
        assert (first.created, second.created) == (True, False)


def test_what_eight_processes_make_at_once_is_one_file(path: Path) -> None:
    program = (
        "import sys, pathlib; from jobrun.store import open_store; from jobrun.model import JobFilter, Kind, NewJob;"
        "from jobrun.units import from_ms; sys.stdin.read();"
        "store = open_store(pathlib.Path(sys.argv[1]), create=True);"
        "print(store.created, store.intake.add([NewJob(kind=Kind.CALL, task='a:f')], now=from_ms(0))[0].id)"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.close()
        starter.stdin = None  # for communicate
    answers = [starter.communicate(timeout=30)[0].split() for starter in starters]

    assert sorted(made for made, _ in answers) == ["False"] * 7 + ["True"]
    assert sorted(int(job_id) for _, job_id in answers) == list(range(1, 9))
    assert not list(path.parent.glob("*.new-*"))


@pytest.mark.parametrize("name", ["jobs.db", "[jobs]*.db"])
def test_a_maker_killed_at_its_last_step_leaves_a_job_file_like_any_other(tmp_path: Path, name: str) -> None:
    path, other = tmp_path / name, tmp_path / f"{name}.new-00000000"
    open_store(other, create=True).close()
    open_store(path, create=True).close()
    path.with_name(f"{name}.new-0a1b2c3d").hardlink_to(path)  # the draft, not yet unlinked

    open_store(path).close()

    assert path.stat().st_nlink == 1
    assert other.exists()


def test_names_of_one_file_share_its_side_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = tmp_path / "real" / "jobs.db"
    open_store(path, create=True).close()
    (tmp_path / "by-file.db").symlink_to(path)
    (tmp_path / "by-folder").symlink_to("real")

    sides = {side_dir(name) for name in (path, tmp_path / "by-file.db", tmp_path / "by-folder" / "jobs.db")}

    assert sides == {tmp_path / "real" / "jobs.db.d"}


def test_jobs_added_by_another_name_of_the_file_are_the_same_jobs(path: Path) -> None:
    open_store(path, create=True).close()
    link = path.with_name("link.db")
    link.symlink_to(path)

    with open_store(link) as by_link, open_store(path) as direct:
        by_link.intake.add([NewJob(kind=Kind.CALL, task="a:f")], now=NOW)
        assert direct.ledger.count(JobFilter()) == 1


def test_a_name_with_signs_of_a_uri_is_just_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#x%41 ü.db"

    open_store(path, create=True).close()

    assert path.is_file()
    with open_store(path) as store:
        assert store.ledger.count(JobFilter()) == 0


def test_a_job_file_says_what_it_is(path: Path) -> None:
    open_store(path, create=True).close()

    connection = sqlite3.connect(path)
    found = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "journal_mode")
    ]
    connection.close()
    assert found == [APPLICATION_ID, "wal"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that another user may enter."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(act: Callable[[], object]) -> str:
    """Do something in a child without rights; return the name of the error it meets."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        answer = "done"
        try:
            act()
        except BaseException as error:  # noqa: BLE001 -- told to the test
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as said:
        answer = said.read()
    os.waitpid(pid, 0)
    return answer


def test_a_file_of_another_user_is_refused(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    open_store(path, create=True).close()
    path.chmod(0o644)
    os.chown(path, NOBODY - 1, NOBODY - 1)

    assert as_nobody(lambda: open_store(path)).startswith("Refused: ")


def test_a_file_that_may_only_be_read_says_so_when_written_to(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    open_store(path, create=True).close()
    os.chown(open_folder, NOBODY, NOBODY)
    for each in [path, *open_folder.rglob("*")]:
        os.chown(each, NOBODY, NOBODY)
    path.chmod(0o400)

    told = as_nobody(lambda: open_store(path).orders.cancel(1, now=NOW))
    assert told == f"JobFileUnusable: no permission to write `{path}`; nothing was changed"


def test_files_beside_it_that_stayed_read_only_are_named(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    open_store(path, create=True).close()
    for each in [open_folder, *open_folder.rglob("*")]:
        os.chown(each, NOBODY, NOBODY)
    path.chmod(0o400)
    as_nobody(lambda: open_store(path).ledger.get(1))  # it makes them, and does not close the file
    path.chmod(0o600)

    def act() -> None:
        try:
            open_store(path).orders.cancel(1, now=NOW)
        except JobrunError as error:
            raise LookupError(f"{error.message}; {error.hint}") from None

    assert as_nobody(act) == (
        f"LookupError: no permission to write `{path}-shm`; nothing was changed; "
        f"chmod u+w {path}-shm, as its owner"
    )


def test_what_root_makes_beside_the_file_of_another_user_is_that_users(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    open_store(path, create=True).close()
    shutil.rmtree(side_dir(path))
    os.chown(path, NOBODY, NOBODY)
    os.chown(open_folder, NOBODY, NOBODY)
    job = NewJob(kind=Kind.CALL, task="a:f")
    with open_store(path) as store:
        store.intake.add([job], now=NOW)

        made = {place.name: place.stat() for place in open_folder.rglob("*")}
        assert {"jobs.db.d", "locks", "gate", "bell.work", "jobs.db-wal"} <= made.keys()
        assert [name for name, each in made.items() if (each.st_uid, each.st_gid) != (NOBODY, NOBODY)] == []
        assert as_nobody(lambda: open_store(path).intake.add([job], now=NOW)) == "done"


def test_what_was_there_is_not_given_away_by_root(open_folder: Path) -> None:
    path, secret = open_folder / "jobs.db", open_folder / "secret"
    open_store(path, create=True).close()
    os.chown(path, NOBODY, NOBODY)
    secret.touch()
    (side_dir(path) / "bell.work").hardlink_to(secret)

    with open_store(path) as store:
        store.intake.add([NewJob(kind=Kind.CALL, task="a:f")], now=NOW)

    assert secret.stat().st_uid == 0


def test_a_side_file_that_may_not_be_opened_is_said_in_our_words(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    open_store(path, create=True).close()
    for place in (open_folder, path, side_dir(path)):
        os.chown(place, NOBODY, NOBODY)

    assert as_nobody(lambda: open_store(path)).startswith("JobFileUnusable: cannot open")


def test_a_link_that_another_user_made_is_refused(open_folder: Path) -> None:
    path, link = open_folder / "jobs.db", open_folder / "link.db"
    open_store(path, create=True).close()
    os.chown(path, NOBODY, NOBODY)
    link.symlink_to(path)
    os.chown(link, NOBODY - 1, NOBODY - 1, follow_symlinks=False)

    assert as_nobody(lambda: open_store(link)).startswith("Refused: ")


def test_a_file_that_may_not_be_read_is_unusable(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    open_store(path, create=True).close()

    assert as_nobody(lambda: open_store(path)).startswith("JobFileUnusable: ")


def test_a_folder_that_may_not_be_written_makes_no_job_file(open_folder: Path) -> None:
    path = open_folder / "jobs.db"

    assert as_nobody(lambda: open_store(path, create=True)).startswith("JobFileUnusable: ")
    assert list(open_folder.iterdir()) == []


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("inner", ["jobs.db", "jobrun/jobs.db", "deeper/jobs.db"])
def test_a_folder_that_may_not_be_entered_holds_no_job_file(
    open_folder: Path, inner: str, *, create: bool
) -> None:
    (open_folder / "closed").mkdir(mode=0o700)

    answer = as_nobody(lambda: open_store(open_folder / "closed" / inner, create=create))

    assert answer.startswith("JobFileUnusable: ")


def test_a_folder_that_takes_no_files_lets_a_closed_job_file_be_read(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    with open_store(path, create=True) as store:
        store.intake.add([NewJob(kind=Kind.CALL, task="a:f")], now=NOW)
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o400)

    def look() -> None:
        with open_store(path) as store:
            assert store.ledger.count(JobFilter()) == 1
            store.check_is_writable()

    assert as_nobody(look) == f"JobFileUnusable: no permission to write `{path}`; nothing was changed"


def test_changes_that_only_the_wal_has_are_not_passed_over(open_folder: Path) -> None:
    path = open_folder / "jobs.db"
    with open_store(path, create=True) as store:
        store.intake.add([NewJob(kind=Kind.CALL, task="a:f")], now=NOW)
        wal = Path(f"{path}-wal").read_bytes()
    Path(f"{path}-wal").write_bytes(wal)
    for each in (path, Path(f"{path}-wal")):
        os.chown(each, NOBODY, NOBODY)
        each.chmod(0o400)

    def look() -> None:
        try:
            open_store(path).close()
        except JobrunError as error:
            raise LookupError(error.hint) from None

    assert (
        as_nobody(look)
        == f"LookupError: copy it together with `{path}-wal` to where you can write, and look there"
    )
