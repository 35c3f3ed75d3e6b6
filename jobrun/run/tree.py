"""A process of an attempt with all below it: watched until it ends, and ended as a whole."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

from jobrun import procs
from jobrun.run.mark import is_kept
from jobrun.wire.messages import Why

LEFTOVER_GRACE_S = 2.0  # for what a job left behind when it ended by itself

# Waits on the poll object for so many seconds, and says why the process is to be stopped if it was told so meanwhile.
Listen = Callable[[select.poll, float | None], Why | None]


class Tree:
    """One child of this process, its leader, and all that this has started."""

    def __init__(self, locks: Path, strangers: frozenset[int] = frozenset(), *, grace_s: float) -> None:
        """`strangers` are children of this process that no job started; `grace_s` is between asking and killing."""
        self._locks = locks
        self._strangers = strangers
        self._grace_s = grace_s
        self._kill_at: float | None = None
        self.why: Why | None = None  # it was asked to end
        self.was_killed = False

    def watch(self, leader: int, listen: Listen, ask_to_end: Callable[[Why], None]) -> None:
        """Return when the leader has ended; it is not reaped yet."""
        ends = os.pidfd_open(leader)
        poll = select.poll()
        poll.register(ends, select.POLLIN)
        try:
            while not _has_ended(ends):
                why = listen(poll, self._left_s())
                if why is not None and self.why is None:
                    self.why = why
                    self._kill_at = time.monotonic() + self._grace_s
                    ask_to_end(why)
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self.was_killed = True
                    procs.send_below(self.below(), signal.SIGKILL)
        finally:
            os.close(ends)

    def end_rest(self) -> int:
        """End what is left now that the leader is reaped; return how many outlived it without being told to end."""
        if self.why is None:
            return procs.end_descendants(LEFTOVER_GRACE_S, spares=self._is_of_another)
        procs.end_descendants(self._left_s() or 0, spares=self._is_of_another)
        return 0

    def below(self) -> dict[int, int]:
        """Return the processes of this attempt, each with its parent."""
        return procs.descendants(pid for pid in procs.children() if not self._is_of_another(pid))

    def _left_s(self) -> float | None:
        return None if self._kill_at is None else max(self._kill_at - time.monotonic(), 0.01)

    def _is_of_another(self, pid: int) -> bool:
        """Say whether a child of this process is not of this job: it was here before, or an earlier job has kept it."""
        return pid in self._strangers or is_kept(pid, self._locks)


def left_behind(count: int, became: str = "ended") -> str | None:
    """Return a note on processes that outlived their job.

    >>> left_behind(1), left_behind(2, "kept"), left_behind(0)
    ('left 1 process, ended', 'left 2 processes, kept', None)
    """
    if not count:
        return None
    return f"left {count} process{'es' if count > 1 else ''}, {became}"


def _has_ended(leader: int) -> bool:
    poll = select.poll()
    poll.register(leader, select.POLLIN)
    return bool(poll.poll(0))
