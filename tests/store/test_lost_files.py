"""A job file that is taken away, or for which there is no room, while it is in use."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobrun.errors import JobFileUnusable
from jobrun.model import JobFilter, Kind, NewJob
from jobrun.paths import side_dir
from jobrun.store import Store, open_store
from jobrun.units import from_ms

NOW = from_ms(1_800_000_000_000)
CALL = NewJob(kind=Kind.CALL, task="a:f")


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_nothing_is_committed_into_a_file_that_lost_its_name(
    path: Path, store: Store, end: str, how: str
) -> None:
    store.intake.add([CALL], now=NOW)
    file = Path(f"{path}{end}")
    kept = file.rename(f"{file}.kept")
    if how == "replaced":
        file.write_bytes(kept.read_bytes())

    with pytest.raises(JobFileUnusable, match=f"`{file}` was {how} while it was in use; nothing was changed"):
        store.intake.add([CALL], now=NOW)

    kept.replace(file)
    assert store.ledger.count(JobFilter()) == 1
    assert store.intake.add([CALL], now=NOW)[0].is_new


def test_no_new_file_is_made_beside_the_last_changes_of_one_that_is_gone(path: Path, store: Store) -> None:
    store.intake.add([CALL], now=NOW)
    path.rename(f"{path}.kept")

    with pytest.raises(JobFileUnusable, match="its last changes are still in"):
        open_store(path, create=True)
    assert not path.exists()

    Path(f"{path}.kept").replace(path)
    assert store.ledger.count(JobFilter()) == 1


def test_no_new_file_is_made_under_workers_whose_file_is_gone(path: Path) -> None:
    open_store(path, create=True).close()
    path.unlink()
    lock = os.open(side_dir(path) / "locks" / "w1", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)

    with pytest.raises(JobFileUnusable, match="removed while workers are at work on it"):
        open_store(path, create=True)

    os.close(lock)
    with open_store(path, create=True) as store:
        assert store.created


WITHOUT_ROOM = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from jobrun.errors import JobrunError
from jobrun.model import JobFilter, Kind, NewJob
from jobrun.store import open_store

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for create in (False, True):
    try:
        with open_store(Path(sys.argv[1 + create]), create=create) as store:
            print(store.ledger.count(JobFilter()))
            store.intake.add([NewJob(kind=Kind.CALL, task="a:f")], now=datetime.now(UTC))
    except JobrunError as error:
        print(type(error).__name__, error.message)
"""


def test_where_nothing_can_be_written_a_file_that_nobody_has_open_can_be_read(path: Path) -> None:
    with open_store(path, create=True) as store:
        store.intake.add([CALL], now=datetime.now(UTC))
    new = path.parent / "new.db"

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM, path, new],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "1",
        f"NoRoom no room left for `{path}`; nothing was changed",
        f"NoRoom no room left for `{new.parent}`; nothing was changed",
    ]
    assert not new.exists()


@pytest.mark.parametrize("size", [5000, -4096])
def test_a_file_that_was_cut_says_that_it_is_damaged_and_what_to_do(path: Path, size: int) -> None:
    open_store(path, create=True).close()
    os.truncate(path, size if size > 0 else path.stat().st_size + size)

    with pytest.raises(JobFileUnusable, match=r"is damaged \(.*\); nothing was changed") as caught:
        open_store(path).ledger.count(JobFilter())

    assert "backup" in (caught.value.hint or "")
    assert f"sqlite3 {path} .recover" in (caught.value.hint or "")
