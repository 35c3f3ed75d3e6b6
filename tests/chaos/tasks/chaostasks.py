"""What the jobs of a drill do. Each notes what it does in the ledger, outside the job file.

Every attempt holds a lock of its job while it lives. Who finds it held notes `X`: an attempt was begun while
another one was still alive.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jobrun


def note(what: str) -> None:
    """Append `what job token pid attempt`, in one write."""
    given = os.environ
    line = f"{what} {given['JOBRUN_ID']} {given['JOBRUN_TOKEN']} {os.getpid()} {given['JOBRUN_ATTEMPT']}\n"
    _append(Path(given["EFFECTS"]), line)


@contextmanager
def attempt() -> Iterator[None]:
    """Note begin and end, and hold the lock of the job meanwhile."""
    lock = os.open(
        f"{os.environ['EFFECTS']}.{os.environ['JOBRUN_ID']}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("X")
        note("S")
        yield
        note("E")
    finally:
        os.close(lock)


def short(_padding: str = "") -> None:
    with attempt():
        pass


def works(seconds: float) -> None:
    with attempt():
        time.sleep(seconds)


def fails(times: int) -> None:
    """Fail in the first so many attempts."""
    with attempt():
        if int(os.environ["JOBRUN_ATTEMPT"]) <= times:
            note("F")
            raise ValueError(times)


def dies(times: int) -> None:
    """Kill the worker in the first so many attempts."""
    with attempt():
        if int(os.environ["JOBRUN_ATTEMPT"]) <= times:
            note("K")
            os.kill(os.getpid(), signal.SIGKILL)


def asks(number: int) -> None:
    """Enqueue jobs, and note each id that was answered."""
    with attempt(), _failing_for(jobrun.JobrunError):
        for _ in range(number):
            _acknowledge([jobrun.enqueue("chaostasks:short")])


def asks_at_once(number: int) -> None:
    with attempt(), _failing_for(jobrun.JobrunError):
        _acknowledge(jobrun.enqueue_many([("chaostasks:short", [], {})] * number))


def ticks(seconds: float = 0.0) -> None:
    """Run for a tick of a table, and note for which."""
    given = os.environ
    with attempt():
        line = f"{given['JOBRUN_ENTRY']} {given['JOBRUN_SCHEDULED_FOR']} {given['JOBRUN_ID']}\n"
        _append(Path(given["TICKS"]), line)
        time.sleep(seconds)


def answers(size: int) -> str:
    """Return a long result, which travels as a file."""
    with attempt():
        return "r" * size


def prints(size: int) -> None:
    """Print much, some of it no text; on a full disk that fails, as it would for anybody."""
    with attempt(), _failing_for(OSError):
        os.write(1, b"out \xff\x1b[31m\n" * (size // 10))


@contextmanager
def _failing_for(error: type[Exception]) -> Iterator[None]:
    """Note a failure that is not ours: a question that a dying dispatcher left unanswered, a disk that is full."""
    try:
        yield
    except error:
        note("F")
        raise


def _acknowledge(ids: Sequence[int]) -> None:
    _append(Path(os.environ["ACKNOWLEDGED"]), "".join(f"{number}\n" for number in ids))


def _append(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(fd, text.encode())
    os.close(fd)


def waited(sent_ns: int) -> None:
    """Note how long it took from the call of `enqueue` to here, in ms."""
    note("S")
    _append(Path(os.environ["EFFECTS"]).with_name("waits"), f"{(time.time_ns() - sent_ns) / 1e6:.2f}\n")
    note("E")
