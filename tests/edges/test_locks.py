"""Locks that the kernel holds, the gate of writers, and roles."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobrun import locks
from jobrun.locks.gate import Gate
from jobrun.locks.records import RING, Record, Recorder, read_record
from jobrun.locks.roles import Role
from jobrun.model import JobFilter, Kind, NewJob
from jobrun.paths import side_dir
from jobrun.store import open_store
from jobrun.units import from_ms

PATIENCE_S = 0.05


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_a_lock_is_held_by_one(lock: Path) -> None:
    fd = locks.take(lock)
    assert fd is not None

    assert locks.take(lock) is None
    assert locks.is_held(lock)
    os.close(fd)
    assert not locks.is_held(lock)


def test_a_lock_file_that_is_missing_is_held_by_nobody_and_not_made_by_looking(lock: Path) -> None:
    assert not locks.is_held(lock)
    assert not lock.exists()


def test_two_who_look_do_not_take_each_other_for_the_holder(lock: Path) -> None:
    lock.touch()
    other = os.open(lock, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_SH)

    assert not locks.is_held(lock)
    os.close(other)


def test_a_child_holds_an_inherited_lock_until_the_kernel_ends_it(lock: Path) -> None:
    fd = locks.take(lock)
    assert fd is not None
    holder = subprocess.Popen(["sleep", "60"], pass_fds=(fd,))
    os.close(fd)
    assert locks.is_held(lock)

    holder.kill()
    holder.wait()

    assert not locks.is_held(lock)


def test_a_lock_does_not_follow_a_link(lock: Path, tmp_path: Path) -> None:
    lock.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic"):
        locks.take(lock)
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_is_held_for_the_length_of_a_block(lock: Path) -> None:
    with locks.taken(lock) as is_ours, locks.taken(lock) as is_ours_too:
        assert (is_ours, is_ours_too) == (True, False)
    assert not locks.is_held(lock)


def test_a_record_tells_who_holds_a_lock_and_what_it_began(lock: Path) -> None:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT)
    recorder = Recorder(fd, pid=4194304, ticks=2**62, boot="b" * 36)
    holder = Record(pid=4194304, ticks=2**62, boot="b" * 36)
    assert read_record(lock) == holder

    recorder.note("e" * 40, cpu_s=1.0, began=2.0)
    recorder.note("f" * 40, cpu_s=123456.789, began=7.5)

    assert read_record(lock) == replace(holder, begun=("e" * 40, "f" * 40), cpu_s=123456.789, began=7.5)
    os.close(fd)


def test_a_record_remembers_the_last_attempts_and_forgets_the_others(lock: Path) -> None:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT)
    recorder = Recorder(fd, pid=1, ticks=2, boot="b")
    for number in range(RING + 10):
        recorder.note(f"t{number}")

    record = read_record(lock)

    assert record is not None
    assert record.begun == tuple(f"t{number}" for number in range(10, RING + 10))
    os.close(fd)


def test_a_write_that_a_death_cut_short_spoils_no_other(lock: Path) -> None:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT)
    recorder = Recorder(fd, pid=1, ticks=2, boot="b")
    recorder.note("whole")
    recorder.note("cut")
    os.ftruncate(fd, os.fstat(fd).st_size - 92)

    record = read_record(lock)

    assert record is not None
    assert record.begun == ("whole",)
    os.close(fd)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b"\xff\xfe", b"[1, 2, 3"])
def test_a_lock_file_that_says_nothing_is_no_error(lock: Path, content: bytes | None) -> None:
    if content is not None:
        lock.write_bytes(content)

    assert read_record(lock) is None


def test_a_role_is_played_by_one_and_taken_over(tmp_path: Path) -> None:
    first, second = Role(tmp_path / "role"), Role(tmp_path / "role")

    assert (first.try_to_take(), first.try_to_take(), second.try_to_take()) == (True, True, False)
    first.give_up()
    assert second.try_to_take()
    second.give_up()


@pytest.fixture
def stopped(lock: Path) -> Iterator[Path]:
    """Give a gate in which somebody stands and never leaves, as one stopped by ^Z does."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield lock
    os.close(fd)


def test_a_wait_at_the_gate_ends(stopped: Path) -> None:
    gate = Gate(stopped, patience_s=PATIENCE_S)
    begin = time.monotonic()

    gate.enter()

    assert time.monotonic() - begin >= PATIENCE_S
    gate.leave()
    gate.close()


def test_signals_are_heard_again_after_a_gate_that_nobody_may_enter(tmp_path: Path) -> None:
    with open_store(tmp_path / "jobs.db", create=True) as store:
        assert isinstance(store._database._gate, Gate)
        nothing = os.open("/", os.O_PATH)  # flock(2) of it is EBADF
        os.dup2(nothing, store._database._gate._fd)
        os.close(nothing)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])

        store.intake.add([NewJob(kind=Kind.CALL, task="a:f")], now=from_ms(0))  # SQLite has locks of its own

        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_the_gate_lets_in_who_waits_when_the_other_leaves(lock: Path) -> None:
    gate = Gate(lock, patience_s=30.0)
    gate.enter()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        Gate(lock, patience_s=30.0).enter()
        os.write(writer, b"in")
        os._exit(0)

    gate.leave()

    assert os.read(reader, 2) == b"in"
    os.waitpid(pid, 0)
    gate.close()
    os.close(reader)
    os.close(writer)


HOLDER = """
import sys, time
from pathlib import Path
from jobrun.locks.gate import Gate

Gate(Path(sys.argv[1]), patience_s=9).enter()
print("in", flush=True)
sys.stdin.read()
"""


def test_a_writer_stopped_at_the_gate_stops_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with open_store(path, create=True, patience_s=2 * PATIENCE_S) as store:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, side_dir(path) / "gate"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        holder.send_signal(signal.SIGSTOP)

        assert store.intake.add([NewJob(kind=Kind.CALL, task="a:f")], now=from_ms(0))[0].is_new

        holder.kill()
        holder.communicate()


WRITER = """
import sys
from pathlib import Path
from jobrun.model import Kind, NewJob
from jobrun.store import open_store
from jobrun.units import from_ms

with open_store(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    sys.stdin.read()
    for _ in range(300):
        store.intake.add([NewJob(kind=Kind.CALL, task=sys.argv[2])], now=from_ms(0))
"""


def test_of_two_writers_in_a_loop_neither_starves(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with open_store(path, create=True) as store:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for name in ("a:a", "a:b")
        ]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.close()
            writer.stdin = None
        for writer in writers:
            writer.communicate(timeout=30)

        order = [job.task for job in store.ledger.select(JobFilter(), limit=999, newest_first=False)]
    last = {name: max(place for place, task in enumerate(order) if task == name) for name in ("a:a", "a:b")}
    slower = max(last, key=last.__getitem__)
    assert len(order) == 600
    assert order[: min(last.values())].count(slower) >= 30, "one went through before the other had a turn"
