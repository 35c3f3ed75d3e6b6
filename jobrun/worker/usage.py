"""What an attempt uses of the machine, as far as the worker's own process goes (getrusage(2))."""

from __future__ import annotations

import contextlib
import os
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage, struct_rusage

_SLACK = 1024 * 1024  # bytes by which a peak may be too high, so that it need not be reset each time


class Meter:
    """Measures one attempt after the other."""

    def __init__(self) -> None:
        self._lowest_peak = 0  # bytes, right after the last reset
        self._before_s = 0.0

    def begin(self) -> float:
        """Begin to measure; return the CPU seconds used until now."""
        own = getrusage(RUSAGE_SELF)
        if own.ru_maxrss * 1024 > self._lowest_peak + _SLACK:
            _forget_peak()
            self._lowest_peak = getrusage(RUSAGE_SELF).ru_maxrss * 1024
        self._before_s = _cpu_s(own)
        return self._before_s

    def end(self) -> tuple[float, int]:
        """Return CPU seconds and the peak of resident memory in bytes since `begin`."""
        own = getrusage(RUSAGE_SELF)
        return _cpu_s(own) - self._before_s, own.ru_maxrss * 1024


def _cpu_s(own: struct_rusage) -> float:
    ended = getrusage(RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def _forget_peak() -> None:
    """Let the peak of resident memory begin anew (proc(5), clear_refs: 5)."""
    with contextlib.suppress(OSError):
        fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"5")
        finally:
            os.close(fd)
