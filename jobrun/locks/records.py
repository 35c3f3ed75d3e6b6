"""What a worker's or an attempt's lock file says about its holder, for the day after its death.

First who holds the lock, then a ring of places, one for each of the attempts that it began last. Each
is one small write, so that a death in the middle of it spoils none of the others.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

RING = 256  # attempts that are remembered: more than a worker can hold whose ends are not settled
_HOLDER = 128  # bytes
_PLACE = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Who leads what runs under a lock, and which attempts it began.

    After a power cut the file may say less than was true: `boot` tells that it is of an earlier life.
    """

    pid: int
    ticks: int  # its start, in clock ticks since boot: pids are reused
    boot: str  # which boot that was
    begun: tuple[str, ...] = ()  # tokens, the last one last
    cpu_s: float = 0.0  # what the process had used before the last attempt
    began: float = 0.0  # when that began: CLOCK_MONOTONIC, seconds, for the wall clock may be set meanwhile

    @property
    def token(self) -> str | None:
        """The attempt begun last."""
        return self.begun[-1] if self.begun else None


def reserve(fd: int) -> None:
    """Give a lock file its room on the disk, so that no attempt is begun without a note when that is full.

    Raises OSError when there is none.
    """
    os.posix_fallocate(fd, 0, _HOLDER + RING * _PLACE)


class Recorder:
    """Writes the record of this process, or of one that it started, into an open lock file."""

    def __init__(self, fd: int, *, pid: int, ticks: int, boot: str) -> None:
        self._fd = fd
        self._count = 0
        os.pwrite(fd, f"{pid} {ticks} {boot}\n".encode().ljust(_HOLDER), 0)

    def note(self, token: str, *, cpu_s: float = 0.0, began: float = 0.0) -> None:
        """Write down that an attempt begins."""
        place = f"{self._count} {token} {cpu_s:.4f} {began:.4f}\n".encode().ljust(_PLACE)
        os.pwrite(self._fd, place, _HOLDER + self._count % RING * _PLACE)
        self._count += 1


def read_record(path: Path) -> Record | None:
    """Return what a lock file says; None if it says nothing."""
    try:
        return _record(path.read_bytes())
    except OSError:
        return None


def begun_by(path: Path) -> list[str] | None:
    """Return the attempts that the holder of a lock began; None if the file cannot tell."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    record = _record(data)
    if record is None:
        return None if data else []  # nothing is written before anything begins
    return list(record.begun)


def _record(data: bytes) -> Record | None:
    try:
        pid, ticks, boot = data[:_HOLDER].decode("ascii").split()
        places = sorted(_places(data))
        _, _, cpu_s, began = places[-1] if places else (0, "", 0.0, 0.0)
        return Record(
            pid=int(pid),
            ticks=int(ticks),
            boot=boot,
            begun=tuple(token for _, token, _, _ in places),
            cpu_s=cpu_s,
            began=began,
        )
    except ValueError:
        return None


def _places(data: bytes) -> list[tuple[int, str, float, float]]:
    found = []
    for begin in range(_HOLDER, len(data), _PLACE):
        with contextlib.suppress(ValueError):  # a death in the middle of a write
            number, token, cpu_s, began = data[begin : begin + _PLACE].decode("ascii").split()
            found.append((int(number), token, float(cpu_s), float(began)))
    return found
