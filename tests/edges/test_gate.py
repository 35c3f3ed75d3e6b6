"""The line at the write gate: who comes first goes first, and who does not go holds nobody up."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from jobrun import private
from jobrun.locks.gate import Gate
from jobrun.locks.line import Line

LONG_S = 30.0
DEADLINE_S = 10.0

WAITER = """
import os, sys
from jobrun.locks.gate import Gate

gate = Gate(sys.argv[1], patience_s=30.0)
gate.enter()
os.write(1, b"in")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def held(path: Path) -> Iterator[Gate]:
    """Give a gate with somebody inside."""
    gate = Gate(path, patience_s=LONG_S)
    gate.enter()
    yield gate
    gate.close()


@pytest.fixture
def waiter(path: Path, held: Gate) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that is the first in line."""
    del held  # it is enough that it is there
    with subprocess.Popen([sys.executable, "-c", WAITER, path], stdout=subprocess.PIPE) as process:
        until(lambda: in_line(path) == 1)
        yield process
        process.kill()


def in_line(path: Path) -> int:
    """Return how many wait for a gate, as the kernel tells."""
    inode = str(path.stat().st_ino)
    locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return sum(" OFDLCK " in lock and lock.split()[5].endswith(f":{inode}") for lock in locks)


def is_in_line(path: Path, count: int) -> bool:
    return in_line(path) == count


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.001)


def test_writers_go_in_the_order_in_which_they_came(path: Path, held: Gate) -> None:
    order: list[str] = []

    def go(name: str) -> None:
        gate = Gate(path, patience_s=LONG_S)
        gate.enter()
        order.append(name)
        gate.leave()
        gate.close()

    threads = [threading.Thread(target=go, args=(name,)) for name in "abcdef"]
    for number, thread in enumerate(threads, 1):
        thread.start()
        until(partial(is_in_line, path, number))
    held.leave()
    go("who left and came again")
    for thread in threads:
        thread.join()

    assert order == [*"abcdef", "who left and came again"]


def test_the_first_in_line_is_called_and_nobody_else(path: Path) -> None:
    fds = [private.open_file(path) for _ in range(3)]
    first, second, leaver = (Line(fd, path) for fd in fds)

    with first.standing() as at_front, second.standing() as behind:
        leaver.call_the_first()
        begin = time.monotonic()
        at_front.wait(LONG_S)
        called_s = time.monotonic() - begin
        behind.wait(LONG_S)
        not_called_s = time.monotonic() - begin - called_s

        assert called_s < not_called_s
        assert (at_front.may_try(), behind.may_try()) == (True, False)
    for line in (first, second):
        line.close()
    for fd in fds:
        os.close(fd)


def test_a_writer_stopped_in_line_holds_nobody_up(
    path: Path, held: Gate, waiter: subprocess.Popen[bytes]
) -> None:
    waiter.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, waiter.pid, os.WSTOPPED | os.WNOWAIT)
    held.leave()
    begin = time.monotonic()

    for _ in range(5):
        _pass(path)

    assert time.monotonic() - begin < 2.0


def test_a_writer_killed_in_line_is_out_of_it(
    path: Path, held: Gate, waiter: subprocess.Popen[bytes]
) -> None:
    waiter.kill()
    waiter.wait()

    assert in_line(path) == 0
    held.leave()
    _pass(path)


def test_who_was_stopped_goes_on_once_it_may(path: Path, held: Gate, waiter: subprocess.Popen[bytes]) -> None:
    waiter.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, waiter.pid, os.WSTOPPED | os.WNOWAIT)
    held.leave()
    _pass(path)

    waiter.send_signal(signal.SIGCONT)

    assert waiter.stdout is not None
    assert waiter.stdout.read() == b"in"


@pytest.mark.usefixtures("held")
def test_a_wait_that_ended_leaves_no_place_in_line(path: Path) -> None:
    gate = Gate(path, patience_s=0.05)

    gate.enter()

    assert in_line(path) == 0
    gate.close()


def test_who_is_in_line_for_longer_than_anybody_waits_does_not_count(
    path: Path, held: Gate, waiter: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiter.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, waiter.pid, os.WSTOPPED | os.WNOWAIT)
    held.leave()
    now_ns = time.monotonic_ns
    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns() + 11_000_000_000)
    gate = Gate(path, patience_s=LONG_S)

    gate.enter()

    assert not path.with_name("gate.1").exists(), "it did not have to stand in line"
    gate.close()


@pytest.mark.usefixtures("held")
def test_the_pipes_on_which_writers_are_called_are_private_and_used_again(path: Path) -> None:
    before = os.umask(0)
    try:
        for _ in range(3):
            gate = Gate(path, patience_s=0.001)
            gate.enter()
            gate.close()
    finally:
        os.umask(before)

    [pipe] = path.parent.glob("gate.*")
    assert pipe.name == "gate.0"
    assert stat.filemode(pipe.stat().st_mode) == "prw-------"


def test_a_file_in_the_place_of_a_pipe_is_left_alone(path: Path, held: Gate) -> None:
    path.with_name("gate.0").write_bytes(b"mine")
    thread = threading.Thread(target=_pass, args=(path,))
    thread.start()
    until(lambda: in_line(path) == 1)

    held.leave()
    thread.join()

    assert path.with_name("gate.0").read_bytes() == b"mine"
    assert path.with_name("gate.1").is_fifo()


def test_a_writer_that_can_open_no_pipe_waits_all_the_same(path: Path, held: Gate) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        gate = Gate(path, patience_s=LONG_S)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        gate.enter()
        os.write(writer, b"in")
        os._exit(0)
    until(lambda: in_line(path) == 1)

    held.leave()

    assert os.read(reader, 2) == b"in"
    os.waitpid(pid, 0)
    os.close(reader)
    os.close(writer)


def _pass(path: Path) -> None:
    gate = Gate(path, patience_s=LONG_S)
    gate.enter()
    gate.leave()
    gate.close()
