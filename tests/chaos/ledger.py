"""What was promised and what was done, on paper outside the job file: the judge believes this alone.

Every line is written by one write(2) to a file opened for appending, so that a kill leaves whole lines only.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BEGAN, ENDED, FAILED = "S", "E", "F"
STRUCK = "K"  # noted before the process of an attempt is killed, by itself or from outside
OVERLAPS = "X"  # began though another attempt of its job was still alive


class Effect(NamedTuple):
    """What the first line of an attempt said of it."""

    job: int
    pid: int
    attempt: int


def write(path: Path, lines: Iterable[object]) -> None:
    """Append lines in one write."""
    text = "".join(f"{line}\n" for line in lines)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Papers:
    """Where it is written. Ids are acknowledged once they were told; the rest is noted *before* it is asked for."""

    folder: Path

    @property
    def effects(self) -> Path:
        return self.folder / "effects"

    @property
    def acknowledged(self) -> Path:
        return self.folder / "acknowledged"

    @property
    def purged(self) -> Path:
        return self.folder / "purged"

    @property
    def cancelled(self) -> Path:
        return self.folder / "cancelled"

    @property
    def ticks(self) -> Path:
        """`entry instant job` lines: for which tick a job says that it runs."""
        return self.folder / "ticks"

    @property
    def retried(self) -> Path:
        return self.folder / "retried"

    def ids(self, path: Path) -> set[int]:
        """Return the ids of one paper."""
        return {int(line) for line in self.lines(path)}

    def lines(self, path: Path) -> Sequence[str]:
        """Return the whole lines of one paper."""
        return _lines(path)


@dataclass(slots=True)
class Effects:
    """What the jobs wrote, by token; and lines that contradict each other."""

    began: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    overlaps: Counter[str] = field(default_factory=Counter)
    first: dict[str, Effect] = field(default_factory=dict)
    by_job: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)


def read_effects(path: Path) -> Effects:
    """Read `S|E|F|K|X job token pid attempt` lines."""
    effects = Effects()
    counters = {
        BEGAN: effects.began,
        ENDED: effects.ended,
        FAILED: effects.failed,
        STRUCK: effects.struck,
        OVERLAPS: effects.overlaps,
    }
    for line in _lines(path):
        what, job, token, pid, attempt = line.split()
        effect = Effect(int(job), int(pid), int(attempt))
        counters[what][token] += 1
        if what == BEGAN:
            effects.by_job[effect.job].append(token)
        if effects.first.setdefault(token, effect) != effect:
            effects.faults.append(f"two processes had token {token}: {effects.first[token]}, {effect}")
    return effects


def _lines(path: Path) -> Sequence[str]:
    """Return the whole lines; what a kill cut off is none."""
    try:
        return path.read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
