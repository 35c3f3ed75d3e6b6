"""What every process of a group is doing just now, for a person who sent SIGQUIT."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Mapping

from jobrun.log import Log

WRITING_S = 0.05  # for one process to write its stacks before the next begins


def print_all_stacks(log: Log, children: Mapping[str, int]) -> None:
    """Write our own stacks, and have each child, named with its pid, write its own."""
    log.say("stacks", "stacks of the supervisor:")
    faulthandler.dump_traceback(log.fd)
    for name, pid in children.items():
        log.say("stacks", f"stacks of {name}, pid {pid}:")
        os.kill(pid, signal.SIGQUIT)
        time.sleep(WRITING_S)
