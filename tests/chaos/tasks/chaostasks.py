"""What the jobs of a drill do. Each notes what it does in the ledger, outside the job file."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import jobrun


def note(what: str) -> None:
    """Append `what job token pid attempt`, in one write."""
    given = os.environ
    line = f"{what} {given['JOBRUN_ID']} {given['JOBRUN_TOKEN']} {os.getpid()} {given['JOBRUN_ATTEMPT']}\n"
    _append(Path(given["EFFECTS"]), line)


def short(_padding: str = "") -> None:
    note("S")
    note("E")


def works(seconds: float) -> None:
    note("S")
    time.sleep(seconds)
    note("E")


def fails(times: int) -> None:
    """Fail in the first so many attempts."""
    note("S")
    if int(os.environ["JOBRUN_ATTEMPT"]) <= times:
        note("F")
        raise ValueError(times)
    note("E")


def asks(number: int) -> None:
    """Enqueue jobs, and note each id that was answered."""
    note("S")
    for _ in range(number):
        _acknowledge([jobrun.enqueue("chaostasks:short")])
    note("E")


def asks_at_once(number: int) -> None:
    note("S")
    _acknowledge(jobrun.enqueue_many([("chaostasks:short", [], {})] * number))
    note("E")


def answers(size: int) -> str:
    """Return a long result, which travels as a file."""
    note("S")
    note("E")
    return "r" * size


def prints(size: int) -> None:
    """Print much, and then some that is no text."""
    note("S")
    os.write(1, b"out \xff\x1b[31m\n" * (size // 10))
    note("E")


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
