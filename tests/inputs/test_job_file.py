"""Job files that cannot be used: what is wrong with them is said, and that is no bug of ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from jobrun.errors import JobFileUnusable
from jobrun.store import medium
from tests.inputs.face import ask

READING = [
    ["list"],
    ["status"],
    ["inspect", "1"],
    ["failed"],
    ["why", "1"],
    ["logs", "1"],
    ["workers"],
    ["cancel", "1"],
]


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[bytes, bytes], Path]:
    """Make a job file in which other bytes stand for some."""

    def made(before: bytes, after: bytes) -> Path:
        path = tmp_path / "jobs.db"
        ask(["--db", str(path), "enqueue", "--shell", "echo hello"])
        with closing(sqlite3.connect(path)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        data = path.read_bytes()
        assert before in data
        path.write_bytes(data.replace(before, after))
        return path

    return made


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"CREATE TABLE jobs", b"CREATE TABLE \xff\xfe\xff\xfe"),  # what SQLite says of it is no UTF-8
        (b"created_at", b"created\xad\xad\xad"),  # no such column
    ],
)
def test_row_47_a_flipped_byte_is_said_to_be_damage(
    words: list[str], before: bytes, after: bytes, damaged: Callable[[bytes, bytes], Path]
) -> None:
    path = damaged(before, after)

    said = ask(["--db", str(path), *words])

    if said.code == 0:  # it reads nothing of what is spoilt
        assert words == ["workers"]
    else:
        assert said.code == 4
        assert "damaged" in said.err or "malformed" in said.err
        assert sum(line.startswith("jobrun: ") for line in said.err.splitlines()) == 1


@pytest.mark.parametrize("words", [["list"], ["inspect", "1"], ["why", "1"]], ids=" ".join)
def test_row_47_a_kind_of_job_that_there_is_none_of_is_damage(
    words: list[str], damaged: Callable[[bytes, bytes], Path]
) -> None:
    path = damaged(b"shellecho hello", b"shallecho hello")

    said = ask(["--db", str(path), *words])

    assert said.code == 4
    assert "the job file is damaged: `'shall'` in a row of it is none of ours" in said.err


def test_row_48_a_job_file_on_a_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medium, "file_system", lambda *_: "nfs4")

    with pytest.raises(JobFileUnusable, match="lies on nfs4, which cannot hold a job file"):
        medium.check(tmp_path)
