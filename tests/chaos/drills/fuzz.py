"""L10: inputs drawn from a grammar and spoilt: no traceback, no hang, flat memory, nothing shown that a terminal obeys."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.chaos.fuzzing import doors, parsers
from tests.chaos.fuzzing.kinds import Kind, fault_of, told, watched
from tests.chaos.trial import Drill, Trial

MOST_GROWTH = 50 << 20  # bytes of memory, once each kind was met
_MOST_FAULTS = 10  # of one round
_PAGE = 4096


def _run(trial: Trial) -> None:
    memory = "/dev/shm"  # a sync costs nothing there, and is not what is tried
    place = memory if os.access(memory, os.W_OK) else trial.folder
    with tempfile.TemporaryDirectory(prefix="jobrun-fuzz-", dir=place) as name:
        _meet_all(trial, Path(name))


def _meet_all(trial: Trial, folder: Path) -> None:
    doors.prepare(folder)
    kinds = [*parsers.kinds(folder), *doors.kinds(folder)]
    met: Counter[str] = Counter()
    before = 0
    with watched():
        while not (trial.is_over and before) and len(trial.faults) < _MOST_FAULTS:
            for kind in kinds:
                _slice(trial, kind, met)
            gc.collect()
            before = before or _memory()
    growth = _memory() - before
    trial.expect(growth < MOST_GROWTH, f"seed {trial.seed}: memory grew by {growth >> 20} MiB")


def _slice(trial: Trial, kind: Kind, met: Counter[str]) -> None:
    """Give one kind its next inputs, for a moment."""
    end = time.monotonic() + kind.slice_s
    while time.monotonic() < end:
        value = kind.draw(Random(f"{trial.seed}/{kind.name}/{met[kind.name]}"))
        met[kind.name] += 1
        trial.count(kind.name, kind.counts_as)
        if fault := fault_of(kind, value):
            trial.fault(
                f"{kind.name}, input {met[kind.name]} of seed {trial.seed}: {told(kind, value, fault)}"
            )
            return


def _memory() -> int:
    """Return the bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


DRILL = Drill(
    level="L10",
    says="words, tables, JSON, times, schedules, outputs, job files and messages are spoilt at random",
    run=_run,
    short_s=4.0,
    long_s=60.0,
)
