"""Notice that the wall clock was set: it strays then from the time since boot, which nobody can set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

STEP_S = 2.0  # what is less is taken for a clock that is corrected little by little


def utc_now() -> datetime:
    return datetime.now(UTC)


def boottime() -> float:
    """Return the seconds since boot, those in which the host slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Steps:
    """One who looks at both clocks now and then."""

    def __init__(self, now: Callable[[], datetime], boottime: Callable[[], float]) -> None:
        """Begin with the clock as it is."""
        self._now = now
        self._boottime = boottime
        self.note()

    def step_s(self) -> float:
        """Return by how many seconds the clock was set since the last `note`; 0 if it was not."""
        step_s = self._offset() - self._offset_s
        return step_s if abs(step_s) > STEP_S else 0.0

    def note(self) -> None:
        """Take the clock as it is from now on: whatever follows from a step is done."""
        self._offset_s = self._offset()
        self.noted_at = self._boottime()

    def _offset(self) -> float:
        return self._now().timestamp() - self._boottime()
