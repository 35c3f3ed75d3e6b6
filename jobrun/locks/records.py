"""What a worker's or an attempt's lock file says about its holder, for the day after its death."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

_SIZE = 160  # one write of fixed length, so that a shorter record leaves nothing of a longer one


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The attempt last started under a lock, and who leads it."""

    pid: int
    ticks: int  # its start, in clock ticks since boot: pids are reused
    token: str | None = None
    cpu_s: float = 0.0  # what the process had used before the attempt
    began: float = 0.0  # CLOCK_MONOTONIC, seconds: the wall clock may be set meanwhile


def write_record(fd: int, record: Record) -> None:
    """Note a record in an open lock file."""
    text = json.dumps([record.pid, record.ticks, record.token, round(record.cpu_s, 4), record.began])
    os.pwrite(fd, text.encode().ljust(_SIZE), 0)


def read_record(path: Path) -> Record | None:
    """Return what a lock file says; None if it says nothing."""
    try:
        pid, ticks, token, cpu_s, began = json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError):
        return None
    return Record(pid=pid, ticks=ticks, token=token, cpu_s=cpu_s, began=began)
