"""What a job run in the foreground leaves in the side folder while it runs: a worker's lock and an output file."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Self

from jobrun import locks, procs
from jobrun.locks.records import Recorder, reserve
from jobrun.model import Output, WorkerRow
from jobrun.run import output


class Post:
    """The place of one worker, taken before any other process can hear of it."""

    def __init__(self, side: Path) -> None:
        """Take the lock, and an empty file for the output. Raises OSError where there is no room."""
        self.name = f"w{os.urandom(6).hex()}"
        self._lock_path = side / "locks" / self.name
        self.log_path = side / "logs" / self.name
        self.boot = procs.boot_id()
        lock = locks.take(self._lock_path)
        assert lock is not None, "a name is used once"
        self._lock = lock
        self.output = -1
        self._is_kept = False
        try:
            reserve(lock)
            ticks = procs.start_ticks(os.getpid()) or 0
            self._record = Recorder(lock, pid=os.getpid(), ticks=ticks, boot=self.boot)
            self.output = output.open_output(self.log_path)
        except BaseException:
            self.__exit__()
            raise

    def row(self, queue: str, *, now: datetime) -> WorkerRow:
        """Return what the job file is told of us."""
        return WorkerRow(
            name=self.name,
            number=1,
            pid=os.getpid(),
            group_pid=os.getpid(),
            queues=(queue,),
            started_at=now,
            stopping_at=None,
        )

    def note(self, token: str, *, began: float) -> None:
        """Write down that an attempt begins, for the day after our death."""
        self._record.note(token, began=began)

    def beat(self) -> None:
        locks.beat(self._lock_path)

    def collect(self) -> Output:
        """Return what the attempt printed; the next one has a file of its own, for somebody may read this one."""
        printed = output.collect(self.output)
        self.log_path.unlink(missing_ok=True)
        os.close(self.output)
        self.output = output.open_output(self.log_path)
        return printed

    def keep_files(self) -> None:
        """Leave the files to whoever settles what we could not."""
        self._is_kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_kept:
            for path in (self._lock_path, self.log_path):
                path.unlink(missing_ok=True)
        for fd in (self._lock, self.output):
            if fd >= 0:
                os.close(fd)
