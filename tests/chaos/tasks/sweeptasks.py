"""Jobs that only their first attempt hurts, so that a healthy group can bring them to their end."""

from __future__ import annotations

import os
import signal
import time

from tests.chaos.tasks.chaostasks import note

LONG_S = 600.0


def dies() -> None:
    """Kill the worker in the first attempt."""
    note("S")
    if os.environ["JOBRUN_ATTEMPT"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    note("E")


def hangs() -> None:
    """Last until somebody ends it, in the first attempt."""
    note("S")
    if os.environ["JOBRUN_ATTEMPT"] == "1":
        time.sleep(LONG_S)
    note("E")
