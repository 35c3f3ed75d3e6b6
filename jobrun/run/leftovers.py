"""What a call leaves running is ended; what multiprocessing keeps for itself is stopped as it expects."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

from jobrun import procs
from jobrun.run.mark import is_kept


def end_leftovers(locks: Path, grace_s: float) -> int:
    """End all that a call has left below this process, and return how many processes that were.

    `locks` tells which are still here because an earlier command keeps what it leaves.

    multiprocessing keeps a fork server and a resource tracker, and would miss them in the next call
    if they were merely killed. The tracker goes last: it ends, and clears up, when nobody else is left.
    """
    if not procs.reap():
        return 0
    _stop_fork_server()
    tracker = _singleton("resource_tracker")
    pid = getattr(tracker, "_pid", None)
    if pid is not None:
        gc.collect()  # what lies in cycles gives back its semaphores while there is one to take them
    count = procs.end_descendants(grace_s, spares=lambda child: child == pid or is_kept(child, locks))
    _stop(tracker)
    return count


def _stop_fork_server() -> None:
    server = _singleton("forkserver")
    pid = getattr(server, "_forkserver_pid", None)
    if pid in procs.children():
        os.kill(pid, signal.SIGKILL)  # it would wait for all that it forked
    _stop(server)


def _singleton(name: str) -> Any:
    """Return what a module of multiprocessing keeps, or None if it is not in use."""
    return getattr(sys.modules.get(f"multiprocessing.{name}"), f"_{name}", None)


def _stop(keeper: Any) -> None:
    if hasattr(keeper, "_stop"):
        with contextlib.suppress(Exception):  # whatever a task did to it
            keeper._stop()  # noqa: SLF001 -- made for tests, and the only way
