"""Which of our children are ours: `helper & exec jobrun worker` has one that is not."""

from __future__ import annotations

import signal
import time

from jobrun import procs

KILL_AGAIN_S = 0.02
UNKILLABLE_S = 10.0  # in uninterruptible sleep; nobody can end it


class Kin:
    """The children of this process that were not there when it became a supervisor."""

    def __init__(self) -> None:
        self._strangers = {pid: procs.start_ticks(pid) for pid in procs.children()}

    def children(self) -> set[int]:
        """Return our own children, adopted orphans included."""
        return {pid for pid in procs.children() if not self._is_stranger(pid)}

    def kill_all(self) -> None:
        """Leave none of them behind."""
        end = time.monotonic() + UNKILLABLE_S
        while (left := self.children()) and time.monotonic() < end:
            procs.send_below(procs.descendants(left), signal.SIGKILL)
            procs.reap()
            time.sleep(KILL_AGAIN_S)

    def _is_stranger(self, pid: int) -> bool:
        return pid in self._strangers and self._strangers[pid] == procs.start_ticks(pid)
