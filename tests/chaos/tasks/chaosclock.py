"""Jobs that tell by which clocks they began, and one that sets the clock."""

from __future__ import annotations

import os
import struct
import time


def note(what: str) -> None:
    """Append `what job token pid attempt`, in one write."""
    given = os.environ
    line = f"{what} {given['JOBRUN_ID']} {given['JOBRUN_TOKEN']} {os.getpid()} {given['JOBRUN_ATTEMPT']}\n"
    _append(given["EFFECTS"], line)


def tells() -> None:
    note("S")
    _tell()
    note("E")


def works(seconds: float) -> None:
    note("S")
    _tell()
    time.sleep(seconds)
    note("E")


def fails_once() -> None:
    note("S")
    _tell()
    if os.environ["JOBRUN_ATTEMPT"] == "1":
        note("F")
        raise ValueError
    note("E")


def sets(offset_ns: int) -> None:
    """Set the wall clock of all that the drill has started, by so much off the true one."""
    note("S")
    fd = os.open(os.environ["CLOCK_OFFSET"], os.O_WRONLY | os.O_CLOEXEC)
    os.pwrite(fd, struct.pack("=q", offset_ns), 0)
    os.close(fd)
    note("E")


def _tell() -> None:
    given = os.environ
    _append(f"{given['EFFECTS']}.clock", f"{given['JOBRUN_ID']} {time.time()} {time.monotonic()}\n")


def _append(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(fd, text.encode())
    os.close(fd)
