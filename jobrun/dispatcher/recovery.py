"""Jobs whose whole group is gone: proof of death first, then the attempt is settled.

Proof is that the locks are free and no process carries the attempt's mark. What carries it is ended
(TERM, grace, KILL) before the job may run again.
"""

from __future__ import annotations

import signal
from collections.abc import Collection
from functools import partial
from pathlib import Path

from jobrun import locks, procs
from jobrun.locks.records import read_record
from jobrun.model import Job, Output, WorkerRow
from jobrun.run.mark import mark
from jobrun.run.output import collect_file
from jobrun.wire import shelf
from jobrun.wire.messages import Ended

GRACE_S = 10.0  # between TERM and KILL for what a dead group left behind


class Recovery:
    """Finds running jobs that nobody runs any more."""

    def __init__(self, side: Path) -> None:
        self._locks = side / "locks"
        self._logs = side / "logs"
        self._spool = side / "spool"
        self._boot = procs.boot_id()
        self._kill_at: dict[str, float] = {}  # token -> monotonic seconds

    def proven_dead(self, job: Job, worker: WorkerRow | None, *, monotonic: float) -> bool:
        """Say whether nothing of a running attempt is alive; begins to end what is left of it."""
        assert job.token is not None
        assert job.worker is not None
        left = self._left_of_worker(job, worker)
        if left is None:
            return False
        attempt_lock = self._locks / job.token
        left |= set(procs.carriers(mark(job.token), attempt_lock))
        if left:
            self._end(job, left, monotonic)
            return False
        return not locks.is_held(attempt_lock)

    def lives(self, name: str, worker: WorkerRow | None) -> bool:
        """Say whether a worker holds its lock; if somebody removed that file, whether its process is there.

        A pid that another worker holds a lock with was given anew.
        """
        lock = self._locks / name
        if lock.exists() or worker is None:
            return locks.is_held(lock)
        if not procs.is_child(worker.pid, worker.group_pid):
            return False
        others = map(read_record, filter(locks.is_held, self._locks.glob("w*")))
        return worker.pid not in {record.pid for record in others if record is not None}

    def was_begun(self, job: Job) -> bool:
        """Say whether the attempt was begun, as far as its worker's lock file tells."""
        record = read_record(self._locks / (job.worker or ""))
        return record is None or record.boot != self._boot or job.token in record.begun

    def output_of(self, job: Job) -> Output:
        """Return what a lost attempt has printed, if it was the last one of its worker."""
        record = read_record(self._locks / (job.worker or ""))
        if record is None or record.token != job.token:
            return Output()
        return collect_file(self._logs / (job.worker or ""))

    def kept_end(self, job: Job) -> Ended | None:
        """Return how a lost attempt ended, if its dispatcher could keep that, but not write it."""
        return shelf.find(self._spool, job.token or "")

    def forget(self, job: Job) -> None:
        """Remove what a settled attempt leaves in the side folder."""
        assert job.token is not None
        self._kill_at.pop(job.token, None)
        (self._locks / job.token).unlink(missing_ok=True)
        shelf.remove(self._spool, job.token)

    def _left_of_worker(self, job: Job, worker: WorkerRow | None) -> set[int] | None:
        """Return what still holds the lock of a dead worker; None while worker or supervisor live."""
        assert job.worker is not None
        lock = self._locks / job.worker
        if not self.lives(job.worker, worker):
            return set()
        record = read_record(lock)
        if record is None or procs.start_ticks(record.pid) == record.ticks:
            return None
        holders = set(procs.carriers(mark(job.token or ""), lock))
        if not holders or (worker is not None and worker.group_pid in holders):
            return None  # the supervisor reaps and sweeps, or we cannot see who holds it
        return holders

    def _end(self, job: Job, pids: Collection[int], monotonic: float) -> None:
        assert job.token is not None
        if job.token not in self._kill_at:
            self._kill_at[job.token] = monotonic + GRACE_S
            procs.send(pids, signal.SIGTERM, is_meant=partial(self._is_left, job))
        elif monotonic >= self._kill_at[job.token]:
            procs.send(pids, signal.SIGKILL, is_meant=partial(self._is_left, job))

    def _is_left(self, job: Job, pid: int) -> bool:
        """Say whether a process is still one of an attempt: its pid may have gone to another."""
        locks = (self._locks / (job.token or ""), self._locks / (job.worker or ""))
        return any(procs.is_carrier(pid, mark(job.token or ""), lock) for lock in locks)
