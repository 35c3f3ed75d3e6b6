"""What a job prints: its head and tail are kept, everything is counted, and no disk is filled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.model import Output
from jobrun.run import output
from jobrun.run.output import HEAD, TAIL, collect, collect_file, open_output, thin_out


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def printed(path: Path, text: bytes) -> Output:
    fd = open_output(path)
    try:
        os.write(fd, text)
        return collect(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("size", [0, 1, HEAD, HEAD + 1, HEAD + TAIL])
def test_what_fits_is_kept_whole(path: Path, size: int) -> None:
    text = os.urandom(size)

    assert printed(path, text) == Output(head=text, size=size)


def test_of_what_does_not_fit_head_and_tail_are_kept_and_the_rest_is_counted(path: Path) -> None:
    text = os.urandom(HEAD + TAIL + 1)

    kept = printed(path, text)

    assert (kept.head, kept.tail) == (text[:HEAD], text[-TAIL:])
    assert (kept.size, kept.cut) == (len(text), 1)


@given(st.integers(0, 3 * (HEAD + TAIL)))
def test_nothing_is_kept_twice_and_nothing_uncounted(size: int) -> None:
    fd = os.memfd_create("log")
    os.ftruncate(fd, size)

    kept = collect(fd)
    os.close(fd)

    assert len(kept.head) + len(kept.tail) + kept.cut == kept.size == size
    assert kept.cut >= 0


def test_a_new_output_is_empty_private_and_appended_to(path: Path) -> None:
    path.write_bytes(b"of another attempt")
    path.unlink()
    before = os.umask(0)
    fd = open_output(path)
    os.umask(before)

    os.write(fd, b"one,")
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, b"two")

    assert collect(fd).head == b"one,two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_an_output_is_never_opened_through_a_link(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    path.symlink_to(target)

    with pytest.raises(OSError, match="symbolic"):
        open_output(path)
    assert collect_file(path) == Output()
    assert not thin_out(path)
    assert target.read_bytes() == b"precious"


def test_an_output_that_is_missing_is_nothing(path: Path) -> None:
    assert collect_file(path) == Output()
    assert not thin_out(path)


def test_a_huge_output_gives_its_middle_back_and_keeps_head_tail_and_size(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LIVE_CAP", 1024 * 1024)
    text = os.urandom(4 * 1024 * 1024)
    path.write_bytes(text)
    before = path.stat()

    if not thin_out(path):
        pytest.skip("this file system punches no holes")

    after = path.stat()
    assert after.st_size == before.st_size
    assert after.st_blocks * 512 < 1024 * 1024
    assert collect_file(path) == Output(head=text[:HEAD], tail=text[-TAIL:], size=len(text))
    assert not thin_out(path)


def test_an_output_below_the_cap_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"x" * 1024 * 1024)

    assert not thin_out(path)
    assert path.read_bytes() == b"x" * 1024 * 1024
