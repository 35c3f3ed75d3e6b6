"""How long to wait before the next try while the job file takes nothing, and how often to speak of it."""

from __future__ import annotations

import math

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 2.0  # what waits is to go on soon after there is room again
SAY_EVERY_S = 60.0  # while it lasts: the log may be on the same disk
SAY_AGAIN_S = 10.0  # when it comes and goes


class Patience:
    """One process' waiting; all times are of one clock, in seconds."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until = -math.inf
        self._said_at = -math.inf

    def begin(self, now: float) -> bool:
        """Note that a try has failed; True if that is to be said."""
        is_due = now - self._said_at >= (SAY_EVERY_S if self._pause_s else SAY_AGAIN_S)
        self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self._until = now + self._pause_s
        if is_due:
            self._said_at = now
        return is_due

    def end(self) -> None:
        """Note that a try went well."""
        self._pause_s = 0.0

    def left_s(self, now: float) -> float:
        """Return for how long nothing is to be tried."""
        return self._until - now if self._pause_s else 0.0
