"""CPU time and memory of running processes: they move less than the clock on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pids: Iterable[int]) -> float:
    """Return the seconds that these and their descendants have used, the ended ones included."""
    return sum(_ticks(pid) for pid in pids) * TICK_S


def _ticks(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        proc = Path(f"/proc/{pid}")
        # The name, in parentheses, may hold spaces; from the state on, utime is number 11.
        times = (proc / "stat").read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, times)) + sum(map(_ticks, _children(pid)))
    return 0


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    return [pid, *(below for child in _children(pid) for below in family(child))]


def run_s(pids: Iterable[int]) -> float:
    """Return the seconds that all threads of these have run: ticks are too coarse for what is nearly idle."""
    files = [file for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def pss_mib(pids: Iterable[int]) -> float:
    """Return the proportional set size of these."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    lines = [line.split() for rollup in rollups for line in rollup.splitlines()]
    return sum(int(words[1]) for words in lines if words[0] == "Pss:") / 1024


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
