"""The endings of a worker that are not settled yet: it owns the only copy, and shelves those that wait for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from jobrun.wire import shelf
from jobrun.wire.messages import Ended

# A commit takes milliseconds; who waits longer has a dispatcher without a disk, or none.
SHELVED_AFTER_S = 0.5
AGAIN_S = 5.0  # on a full disk; to try costs more than to wait


class Endings:
    """Kept from the end of an attempt until its `Settled`."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._kept: dict[str, Ended] = {}
        self._shelve_at: dict[str, float] = {}  # monotonic seconds, of those that are not shelved
        self._shelved: set[str] = set()
        self._full_until = 0.0

    def __contains__(self, token: str) -> bool:
        return token in self._kept

    def __iter__(self) -> Iterator[Ended]:
        return iter(self._kept.values())

    def __bool__(self) -> bool:
        return bool(self._kept)

    def tokens(self) -> list[str]:
        return list(self._kept)

    def keep(self, ended: Ended) -> None:
        self._kept[ended.token] = ended
        self._shelve_at[ended.token] = time.monotonic() + SHELVED_AFTER_S

    def settle(self, token: str, *, stays_shelved: bool) -> None:
        """Forget an ending that is written down; what the dispatcher has shelved itself is not ours to remove."""
        self._kept.pop(token, None)
        self._shelve_at.pop(token, None)
        if token in self._shelved:
            self._shelved.remove(token)
            if not stays_shelved:
                shelf.remove(self._spool, token)

    def wait_s(self, longest_s: float) -> float:
        """Return for how long there is nothing to shelve."""
        if not self._shelve_at:
            return longest_s
        first = next(iter(self._shelve_at.values()))  # they stand in the order in which they are due
        return max(min(max(first, self._full_until) - time.monotonic(), longest_s), 0.0)

    def shelve(self) -> None:
        """Write down what has waited for long; where there is no room, all of it later again."""
        now = time.monotonic()
        due = [token for token, at in self._shelve_at.items() if at <= now] if now >= self._full_until else []
        for token in due:
            try:
                shelf.put(self._spool, self._kept[token])
            except OSError:
                self._full_until = now + AGAIN_S
                return
            del self._shelve_at[token]
            self._shelved.add(token)
