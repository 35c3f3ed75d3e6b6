"""How long to wait before something that died is started again."""

from __future__ import annotations

import time

QUICK_DEATH_S = 5.0  # what lived longer is replaced at once
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0


class Pauses:
    """Back-off of what is restarted: at once when it lived long, later and later when it dies young."""

    def __init__(self, count: int, longest_s: float = LONGEST_PAUSE_S) -> None:
        self._longest_s = longest_s
        self._deaths = [0] * count
        self._born = [0.0] * count
        self._until = [0.0] * count

    def began(self, index: int) -> None:
        self._born[index] = time.monotonic()

    def ended(self, index: int) -> float:
        """Note a death; return the seconds until the next start."""
        now = time.monotonic()
        is_quick = now - self._born[index] < QUICK_DEATH_S
        self._deaths[index] = self._deaths[index] + 1 if is_quick else 0
        pause_s = 0.0
        if self._deaths[index]:
            pause_s = min(FIRST_PAUSE_S * 2 ** (self._deaths[index] - 1), self._longest_s)
        self._until[index] = now + pause_s
        return pause_s

    def forgive(self, index: int) -> None:
        """Note an end that says nothing of the next start: we made it, or a job did."""
        self._deaths[index] = 0
        self._until[index] = 0.0

    def deaths(self, index: int) -> int:
        """Return how many quick deaths there were in a row."""
        return self._deaths[index]

    def is_over(self, index: int) -> bool:
        return time.monotonic() >= self._until[index]

    def left_s(self, index: int) -> float:
        return self._until[index] - time.monotonic()
