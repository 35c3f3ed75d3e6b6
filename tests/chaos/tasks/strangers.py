"""Processes that belong to no job, many of them short-lived; each notes every signal that it gets.

They have the names of those in the trees, and where pids are few they get the pids of those that have just ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from random import Random

AT_A_TIME = 6


def _note(line: str) -> None:
    fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


def _hears(signum: int, _frame: object) -> None:
    _note(f"{os.getpid()} got {signal.Signals(signum).name}")


def main() -> None:
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(signum, _hears)
    dice = Random(0)
    alive = 0
    while True:
        while alive < AT_A_TIME:
            nap_s = dice.uniform(0.0, 0.02)
            if os.fork() == 0:
                time.sleep(nap_s)
                os._exit(0)
            alive += 1
        pid, status = os.wait()
        alive -= 1
        if status:
            _note(f"{pid} ended by signal {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
