"""What an attempt uses of the machine, as far as the worker's own process goes (getrusage(2))."""

from __future__ import annotations

import contextlib
import os
import resource


def cpu_s() -> float:
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def forget_peak() -> None:
    """Let the peak of resident memory begin anew (proc(5), clear_refs: 5)."""
    with contextlib.suppress(OSError):
        fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"5")
        finally:
            os.close(fd)


def peak() -> int:
    """Return the peak of resident memory in bytes since `forget_peak`."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
