"""When a worker has done enough: after so many jobs, or once it has grown to so much memory."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass

from jobrun.units import format_size, plural

_RESIDENT = 1  # the field of /proc/self/statm, in pages (proc(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How much a worker is good for; None: whatever comes."""

    jobs: int | None = None
    memory: int | None = None  # bytes that are resident between two jobs


TIRELESS = Span()


class Wear:
    """What one worker has done since its fork."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._jobs = 0
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC) if span.memory else -1

    def after_job(self) -> str | None:
        """Count a job; return why this worker is to be replaced now, if it is."""
        self._jobs += 1
        most = self._span.jobs
        if most is not None and self._jobs >= most:
            return f"after {plural(self._jobs, 'job')}"
        if self._span.memory is not None and (size := self._resident()) > self._span.memory:
            return f"at {format_size(size)} of memory, after {plural(self._jobs, 'job')}"
        return None

    def _resident(self) -> int:
        with contextlib.suppress(OSError):  # a job may have closed what it does not know
            return int(os.pread(self._statm, 128, 0).split()[_RESIDENT]) * resource.getpagesize()
        return 0
