"""Jobs of which two attempts must never overlap: each holds a lock that it does not wait for. Also a program."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

NAP_S = 0.05  # time that passes while it is stopped is no time in which it worked


def holds(seconds: float, times_ended: int = 0) -> None:
    """Hold the lock of this job for so many seconds; in its first attempts until it is killed."""
    given = os.environ
    effects, job, attempt = given["EFFECTS"], given["JOBRUN_ID"], int(given["JOBRUN_ATTEMPT"])
    line = f"{job} {given['JOBRUN_TOKEN']} {os.getpid()} {attempt}\n"
    lock = os.open(f"{effects}.lock.{job}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _append(f"{effects}.overlaps", line)
    _append(effects, f"S {line}")
    if attempt <= times_ended:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    for _ in range(round(seconds / NAP_S)):
        time.sleep(NAP_S)
    _append(effects, f"E {line}")
    os.close(lock)


def _append(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(fd, text.encode())
    os.close(fd)


if __name__ == "__main__":
    holds(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
