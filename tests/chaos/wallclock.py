"""A wall clock of its own for some processes: what is preloaded into them adds to it what a file says (`wallclock.c`)."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.chaos.trial import CannotTry, Trial

SOURCE = Path(__file__).with_name("wallclock.c")
WAIT_S = 45.0  # by which a clock may be off that we look at on a busy machine


@dataclass(slots=True)
class WallClock:
    """The clock of the group, which is the true one but for what a file says."""

    path: Path
    offset: timedelta = timedelta()
    preload: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def set(self, offset: timedelta) -> None:
        self.offset = offset
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(fd, struct.pack("=q", self.nanoseconds), 0)  # in one write
        os.close(fd)

    @property
    def nanoseconds(self) -> int:
        return self.offset // timedelta(microseconds=1) * 1000


def clock_of(trial: Trial) -> WallClock:
    """Build what sets the clock of a process, and see that it does, and sets no other clock."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CannotTry("needs a C compiler, for a wall clock of its own (gcc)")
    library = trial.folder / "wallclock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True, timeout=60)
    clock = WallClock(trial.folder / "offset")
    clock.preload = ["env", f"LD_PRELOAD={library}", f"CLOCK_OFFSET={clock.path}"]
    clock.set(timedelta(days=1000))
    look = "import time, datetime; time.sleep(0.01); print(time.time(), datetime.datetime.now().timestamp(),"
    look += " time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))"
    said = subprocess.run(
        [*clock.preload, sys.executable, "-S", "-c", look], capture_output=True, check=True, timeout=60
    )
    *walls, monotonic, boottime = map(float, said.stdout.split())
    is_set = all(abs(wall - time.time() - 1000 * 86400) < WAIT_S for wall in walls)
    is_true = (
        time.monotonic() - monotonic < WAIT_S and time.clock_gettime(time.CLOCK_BOOTTIME) - boottime < WAIT_S
    )
    if not (is_set and is_true):
        raise CannotTry(f"cannot set the clock of a process here: {said.stdout!r}")
    clock.set(timedelta())
    return clock
